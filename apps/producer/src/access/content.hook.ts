import { MOST_JSON_BYTES, MOST_NDJSON_BYTES, routeBodyOf } from '../bodies/parse-bodies';
import { tooLarge } from '../bodies/read-bytes';
import { ProblemException, problemOf, cut } from '../problems/problem';
import { isApi, type IdentifiedRequest } from './api-key.hook';

/**
 * Looks at what a request brings, before it is read. A browser sends a POST to another site without asking only when it is a form, plain
 * text or nothing: none of them is taken here. (It asks before it sends any other method or any other header.)
 */
export function checkContent(request: IdentifiedRequest): void {
  const { headers } = request;
  if (request.method !== 'POST' && headers['transfer-encoding'] !== undefined) {
    throw new ProblemException(problemOf(400, 'MALFORMED_REQUEST', `A ${request.method} has no body here.`));
  }
  if (request.method !== 'POST' || !isApi(request)) return;
  refuseEncodings(headers['content-encoding']);
  const body = routeBodyOf(request);
  const isLines = mediaTypeOf(headers['content-type']) === 'application/x-ndjson';
  if (isLines && body !== 'batch') throw notJson('Only /v1/tasks/batch takes application/x-ndjson.');
  const mostBytes = isLines ? MOST_NDJSON_BYTES : MOST_JSON_BYTES;
  if (Number(headers['content-length']) > mostBytes) throw tooLarge(mostBytes);
  if (isLines || mediaTypeOf(headers['content-type']) === 'application/json') return;
  const isAsked = request.client !== undefined || headers['x-requested-with'] !== undefined;
  if (body === 'none' && isEmpty(request) && isAsked) return;
  throw notJson(
    body === 'none'
      ? 'Send content-type: application/json, with {} or no body; or a header X-Requested-With.'
      : 'The content type must be application/json.',
  );
}

/** A compressed body would be read as if it were not. */
function refuseEncodings(header: string | undefined): void {
  if (header === undefined) return;
  if (header.split(',').every((encoding) => encoding.trim().toLowerCase() === 'identity')) return;
  throw notJson(`Send the body without content encoding, not as ${cut(header)}.`);
}

function mediaTypeOf(header: string | undefined): string | undefined {
  return header?.split(';', 1)[0]?.trim().toLowerCase();
}

function isEmpty({ headers }: IdentifiedRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding, 'content-type': type } = headers;
  return length === '0' && encoding === undefined && type === undefined;
}

function notJson(detail: string): ProblemException {
  return new ProblemException(problemOf(415, 'NOT_JSON', detail));
}
