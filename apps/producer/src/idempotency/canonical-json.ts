/**
 * JSON whose keys are sorted, piece by piece: the same for the same value, however it was written. Keys that are array indices
 * come first, by number, as in every object of JavaScript. The form never changes: ids of tasks follow from it.
 */
export function* canonicalJson(value: unknown): Generator<string> {
  const open: Frame[] = [];
  let next: { value: unknown } | undefined = { value };
  for (;;) {
    if (next) {
      const frame = frameOf(next.value);
      if (frame) open.push(frame);
      yield frame ? frame.brackets[0] : JSON.stringify(next.value);
    }
    const top = open.at(-1);
    if (!top) return;
    if (top.at === top.size) {
      yield top.brackets[1];
      open.pop();
      next = undefined;
      continue;
    }
    const comma = top.at === 0 ? '' : ',';
    const key = top.keys?.[top.at];
    if (comma !== '' || key !== undefined) yield key === undefined ? comma : `${comma}${JSON.stringify(key)}:`;
    next = { value: top.container[key ?? top.at] };
    top.at += 1;
  }
}

/** An object or array whose end has not come yet. */
interface Frame {
  container: Record<string | number, unknown>;
  /** Of an object, sorted. */
  keys: string[] | undefined;
  size: number;
  at: number;
  brackets: [string, string];
}

function frameOf(value: unknown): Frame | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const container = value as Record<string | number, unknown>;
  if (Array.isArray(value)) return { container, keys: undefined, size: value.length, at: 0, brackets: ['[', ']'] };
  const keys = sorted(Object.keys(value));
  return { container, keys, size: keys.length, at: 0, brackets: ['{', '}'] };
}

function sorted(keys: string[]): string[] {
  const firstName = keys.findIndex((key) => !isIndex(key));
  if (firstName === -1) return keys;
  return firstName === 0 ? keys.sort() : [...keys.slice(0, firstName), ...keys.slice(firstName).sort()];
}

/** Of an array: those are the keys that every object lists first. */
function isIndex(key: string): boolean {
  const index = Number(key);
  return Number.isInteger(index) && index >= 0 && index < 2 ** 32 - 1 && String(index) === key;
}
