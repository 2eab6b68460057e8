import type { Failure } from './outcome';
import { HEADER } from './task';

/** Bounded, because the broker limits a message's headers to one frame of 128 KiB (RabbitMQ docs, frame_max). */
const LONGEST_MESSAGE = 1_000;
const LONGEST_CODE = 255;

/** What a dead letter says about itself, beside the task's own headers. */
export function deadLetterHeaders(
  failure: Failure,
  attempt: number,
  originQueue: string,
  firstFailedAtMs: number,
  nowMs: number,
): Record<string, string | number> {
  return {
    [HEADER.attempt]: attempt,
    [HEADER.errorCode]: failure.code.slice(0, LONGEST_CODE),
    [HEADER.errorMessage]: failure.message.slice(0, LONGEST_MESSAGE),
    [HEADER.originQueue]: originQueue,
    [HEADER.firstFailedAtMs]: firstFailedAtMs,
    [HEADER.lastFailedAtMs]: nowMs,
    [HEADER.deadAtMs]: nowMs,
  };
}
