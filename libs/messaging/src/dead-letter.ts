import type { Failure } from './outcome';
import { HEADER } from './task';

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
    [HEADER.errorCode]: failure.code,
    [HEADER.errorMessage]: failure.message,
    [HEADER.originQueue]: originQueue,
    [HEADER.firstFailedAtMs]: firstFailedAtMs,
    [HEADER.lastFailedAtMs]: nowMs,
    [HEADER.deadAtMs]: nowMs,
  };
}
