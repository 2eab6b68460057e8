import type { Socket } from 'node:net';
import { problemOf, type Problem } from '../problems/problem';

/** What Node's HTTP parser refuses, by its code; for anything else the request is malformed. */
const KNOWN: Readonly<Record<string, [status: number, code: string, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'HEADERS_TOO_LARGE', 'The request line and the headers are too large: at most 16 KiB.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'BODY_TOO_LARGE', 'The chunk extensions are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'REQUEST_TIMEOUT', 'The request did not arrive in time.'],
};

/** Answers what is no HTTP with a problem like all others, and closes the connection. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  // Nobody is there any more.
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const problem = problemOfClientError(error);
  const body = JSON.stringify(problem);
  const lines = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    'content-type: application/problem+json',
    'x-content-type-options: nosniff',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function problemOfClientError({ code = '', message }: Error & { code?: string }): Problem {
  const known = KNOWN[code];
  return known ? problemOf(...known) : problemOf(400, 'MALFORMED_REQUEST', `This is no HTTP request. (${message})`);
}
