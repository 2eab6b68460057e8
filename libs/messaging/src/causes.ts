import { types } from 'node:util';

const MOST_DEPTH = 5;
const MOST_SIDE_BY_SIDE = 5;
/** Of one error that has causes: they are to be heard, too. */
const LONGEST_PART = 400;

/**
 * What is behind an error, for people: the chain of its `cause`, and the `errors` of an AggregateError. Empty when there is
 * nothing, or nothing that `said` does not say already. At most five deep and five side by side.
 */
export function causesOf(error: Error, said: string, seen: Set<unknown> = new Set([error])): string {
  if (seen.size > MOST_DEPTH) return '';
  const errors: unknown = (error as Partial<AggregateError>).errors;
  const behind = [...(Array.isArray(errors) ? (errors as unknown[]) : []), error.cause].filter(
    (cause) => cause !== undefined && cause !== null && !seen.has(cause),
  );
  const named = behind.slice(0, MOST_SIDE_BY_SIDE).map((cause) => {
    const text = partOf(cause);
    const further = isError(cause) ? causesOf(cause, `${said} ${text}`, new Set([...seen, cause])) : '';
    return said.includes(messageOf(cause)) ? further : `${text}${further === '' ? '' : ` (${further})`}`;
  });
  const texts = [...new Set(named)].filter((text) => text !== '');
  const left = behind.length - MOST_SIDE_BY_SIDE;
  return [...texts, ...(left > 0 ? [`and ${left} more`] : [])].join('; ');
}

/** One error, without what is behind it. Some of Node's have an empty message, and say all in their code. */
function partOf(error: unknown): string {
  if (!isError(error)) return String(error).slice(0, LONGEST_PART);
  const text = messageOf(error);
  return `${error.name}${text === '' ? '' : `: ${text}`}`.slice(0, LONGEST_PART);
}

function messageOf(error: unknown): string {
  if (!isError(error)) return String(error);
  const code: unknown = (error as NodeJS.ErrnoException).code;
  return String(error.message) || (typeof code === 'string' ? code : '');
}

/** Also one of another realm: in Jest, those that Node.js itself throws are. */
export function isError(thrown: unknown): thrown is Error {
  return types.isNativeError(thrown) || thrown instanceof Error;
}
