import { createHash } from 'node:crypto';
import { DEFAULTS, InvalidMessageError } from '@mercury/messaging';
import { turn } from '../bodies/loop-turns';
import { ProblemException, problemOf } from '../problems/problem';
import type { TaskRequest } from '../tasks/task.request';
import { canonicalJson } from './canonical-json';

/** A string of RFC 8941, section 3.3.3; parameters mean nothing here. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?: *;[\x20-\x7e]*)?$/;
/** Without what would make it a list, parameters, or a string that does not end. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;
const LONGEST_KEY = 255;
/** Of what is hashed at once. */
const PIECE_LENGTH = 16_384;

/**
 * The key of an `Idempotency-Key` header: an item of RFC 8941 that is a string. Without the quotes it is the same key.
 * @throws ProblemException 400 `IDEMPOTENCY_KEY_INVALID`.
 */
export function readIdempotencyKey(header: string): string {
  const quoted = QUOTED.exec(header)?.[1]?.replace(/\\(.)/g, '$1');
  const key = quoted ?? BARE.exec(header)?.[0] ?? '';
  if (key.length > 0 && key.length <= LONGEST_KEY) return key;
  const detail = `Idempotency-Key must be 1 to ${LONGEST_KEY} printable ASCII characters, best in double quotes.`;
  throw new ProblemException(problemOf(400, 'IDEMPOTENCY_KEY_INVALID', detail));
}

/** Where a key is meant: nobody else’s key, queue or place in a batch is the same. */
export interface KeyScope {
  key: string;
  /** The name of the API key; undefined without API keys. */
  client: string | undefined;
  queueName: string;
  /** Of a batch; undefined for a task that is posted alone. */
  index?: number;
}

export function hashOfScope({ key, client, queueName, index }: KeyScope): string {
  return sha256(['mercury', queueName, client ?? null, key, index ?? null]).toString('hex');
}

/**
 * The same for the same task, however its JSON is written.
 * @throws InvalidMessageError `TASK_TOO_LARGE` for one that cannot be put, before it is read to its end.
 */
export async function fingerprintOf({ type, payload, id, delayMs, runAt }: TaskRequest): Promise<string> {
  const parts: unknown[] = [type, null, id ?? null, delayMs ?? null, runAt ?? null];
  const mostBytes = DEFAULTS.maxPayloadBytes + Buffer.byteLength(JSON.stringify(parts)) - 'null'.length;
  const hash = createHash('sha256');
  let text = '';
  let bytes = 0;
  const write = () => {
    hash.update(text);
    bytes += Buffer.byteLength(text);
    if (bytes > mostBytes) throw tooLarge();
    text = '';
  };
  for (const piece of canonicalJson(parts.with(1, payload))) {
    text += piece;
    if (text.length < PIECE_LENGTH) continue;
    write();
    await turn();
  }
  write();
  return hash.digest('base64url');
}

/**
 * The id of a task that its caller has not named: a UUIDv8 (RFC 9562) that follows from the key and the task. So
 * whoever posts it again puts the same task, even if nobody remembers that it was put. It follows from the task, too,
 * because a consumer that remembers one task of an id would never execute another one.
 */
export function taskIdOf(scopeHash: string, fingerprint: string): string {
  const bytes = sha256([scopeHash, fingerprint]).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function sha256(value: unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(value)).digest();
}

function tooLarge(): InvalidMessageError {
  const text = `The payload has more than ${DEFAULTS.maxPayloadBytes} bytes. Store it elsewhere and send a reference.`;
  return new InvalidMessageError('TASK_TOO_LARGE', text);
}
