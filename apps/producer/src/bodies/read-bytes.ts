import type { Readable } from 'node:stream';
import { ProblemException, problemOf } from '../problems/problem';

const NOTHING = Buffer.alloc(0);
const FIRST_BYTES = 32_768;
/** Of a body that is too large, so much more is thrown away before its answer: many clients read none before they have sent all. */
const MOST_DISCARDED_BYTES = 64 * 1_048_576;
/** Each chunk costs a microsecond or two, however small it is: a mebibyte in single bytes would hold the loop. */
const CHUNKS_PER_LOOK = 8_192;
const LEAST_MEAN_BYTES = 32;

/**
 * Reads a body into one buffer that grows with it, so that it takes no more memory when it comes in pieces.
 * @param onGrown is told how many bytes more the buffer takes, beyond 32 KiB, and may throw.
 * @throws ProblemException 413 `BODY_TOO_LARGE`; 400 `MALFORMED_REQUEST` when it ends early or comes in single bytes.
 */
export function readBytes(body: Readable, mostBytes: number, onGrown: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let buffer: Buffer = NOTHING;
    let length = 0;
    let chunkCount = 0;
    const append = (chunk: Buffer) => {
      chunkCount += 1;
      if (chunkCount % CHUNKS_PER_LOOK === 0 && length / chunkCount < LEAST_MEAN_BYTES)
        throw malformed('comes in single bytes');
      const needed = length + chunk.length;
      if (needed > mostBytes && needed > MOST_DISCARDED_BYTES) throw tooLarge(mostBytes);
      if (needed <= mostBytes) {
        if (needed > buffer.length) {
          const size = Math.min(Math.max(needed, 2 * buffer.length, length === 0 ? 0 : FIRST_BYTES), mostBytes);
          if (size > FIRST_BYTES) onGrown(size - Math.max(buffer.length, FIRST_BYTES));
          // Most bodies come as a whole.
          buffer = length === 0 ? chunk : grown(buffer, length, size);
        }
        if (length > 0) chunk.copy(buffer, length);
      }
      length = needed;
    };
    const onData = (chunk: Buffer) => {
      try {
        append(chunk);
      } catch (error) {
        end(error as Error);
      }
    };
    const onEnd = () => end(length > mostBytes ? tooLarge(mostBytes) : undefined);
    const onError = () => end(malformed('has ended early'));
    const end = (problem: Error | undefined) => {
      body.off('data', onData).off('end', onEnd).off('error', onError);
      // Without a listener an error that comes late would end the process.
      body.on('error', () => undefined);
      if (!problem) return resolve(buffer.subarray(0, length));
      body.pause();
      reject(problem);
    };
    body.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

export function tooLarge(mostBytes: number): ProblemException {
  const detail = `The body is too large: at most ${mostBytes} bytes. More tasks go as application/x-ndjson to /v1/tasks/batch.`;
  return new ProblemException(problemOf(413, 'BODY_TOO_LARGE', detail));
}

function malformed(what: string): ProblemException {
  return new ProblemException(problemOf(400, 'MALFORMED_REQUEST', `The body ${what}.`));
}

function grown(buffer: Buffer, length: number, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size);
  buffer.copy(larger, 0, 0, length);
  return larger;
}
