import { randomFillSync } from 'node:crypto';

/** Random bytes for so many ids at once: a call for each would be the dearest part. */
const POOLED = 256;
const RANDOM_BYTES = 10;
const MOST_COUNT = 0xfff;

const pool = Buffer.alloc(POOLED * RANDOM_BYTES);
let used = pool.length;
let lastMs = 0;
let count = 0;

/**
 * A UUIDv7 (RFC 9562): begins with the time, so that ids sort as they were made. Those of one process never go back, also within a
 * millisecond or when the clock is set back: then the twelve bits behind the time count.
 */
export function uuidv7(nowMs = Date.now()): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, (used += RANDOM_BYTES));
  if (nowMs > lastMs) {
    lastMs = nowMs;
    // Half of them are left to count.
    count = random.readUInt16BE(8) & 0x7ff;
  } else if (++count > MOST_COUNT) {
    lastMs += 1;
    count = 0;
  }
  const time = lastMs.toString(16).padStart(12, '0');
  const counted = (0x7000 | count).toString(16);
  const variant = ((random.readUInt16BE(0) & 0x3fff) | 0x8000).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-${counted}-${variant}-${random.toString('hex', 2, 8)}`;
}
