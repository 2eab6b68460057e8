import { createHash } from 'node:crypto';
import { InvalidMessageError } from '@mercury/messaging';
import { ProblemException, problemOf } from '../problems/problem';
import type { TaskRequest } from '../tasks/task.request';

/** A string of RFC 8941, section 3.3.3; parameters mean nothing here. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?: *;[\x20-\x7e]*)?$/;
/** Without what would make it a list, parameters, or a string that does not end. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/;
const LONGEST_KEY = 255;

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

/** The same for the same task, however its JSON is written. @throws InvalidMessageError `TASK_INVALID`. */
export function fingerprintOf({ type, payload, id, delayMs, runAt }: TaskRequest): string {
  try {
    return sha256([type, payload, id ?? null, delayMs ?? null, runAt ?? null]).toString('base64url');
  } catch (cause) {
    throw new InvalidMessageError('TASK_INVALID', 'The payload is nested too deep.', { cause });
  }
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

/** Ids follow from it: another form would give other ids to what is posted again. */
function sha256(value: unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(value, sortKeys)).digest();
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
