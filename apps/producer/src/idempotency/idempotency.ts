import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DEFAULTS, type KeyStore } from '@mercury/messaging';
import { KEY_STORE } from '@mercury/messaging/nest';
import { ProblemException, problemOf } from '../problems/problem';
import type { TaskRequest } from '../tasks/task.request';
import { fingerprintOf, hashOfScope, taskIdOf, type KeyScope } from './idempotency-key';

/** Of IDEMPOTENCY_TTL_MS. */
export const IDEMPOTENCY_TTL_MS = Symbol('idempotency ttl');

/** Longer than a put may take: when it is over although nobody has answered, the producer is gone. */
const IN_FLIGHT_MS = DEFAULTS.publishTimeoutMs + 5_000;
const ACCEPTED = 'accepted';

/** Puts a task once for each `Idempotency-Key`, whichever producer of this key store is asked. */
@Injectable()
export class Idempotency {
  private readonly log = new Logger('Idempotency');

  constructor(
    @Inject(KEY_STORE) private readonly store: KeyStore,
    @Inject(IDEMPOTENCY_TTL_MS) private readonly ttlMs: number,
  ) {}

  /**
   * Resolves to the id of the task, once it is stored, by this request or by an earlier one with the same key and task.
   * @param put resolves once the task is stored under this id. When it fails, the key is free for another request.
   * @throws ProblemException 409 while an earlier request is in flight, 422 when that was for another task, 503 when the
   * key store does not answer. @throws InvalidMessageError `TASK_TOO_LARGE`; and what `put` throws.
   */
  async once(scope: KeyScope, task: TaskRequest, put: (id: string) => Promise<void>): Promise<string> {
    const scopeHash = hashOfScope(scope);
    const fingerprint = await fingerprintOf(task);
    const id = task.id ?? taskIdOf(scopeHash, fingerprint);
    const storeKey = `request ${scopeHash}`;
    // Unlike any other, so that only this request can end it.
    const inFlight = `${fingerprint} ${randomUUID()}`;
    const earlier = await this.claim(storeKey, inFlight);
    if (earlier !== undefined) {
      refuseUnlessAccepted(earlier, fingerprint);
      return id;
    }
    try {
      await put(id);
    } catch (error) {
      await this.tryTo(this.store.delete(storeKey, inFlight));
      throw error;
    }
    // It is stored: that is the answer, also if this cannot be. Whoever repeats the request then puts the same task.
    await this.tryTo(this.store.replace(storeKey, inFlight, `${fingerprint} ${ACCEPTED}`, this.ttlMs));
    return id;
  }

  private async claim(storeKey: string, inFlight: string): Promise<string | undefined> {
    try {
      return await this.store.setIfAbsent(storeKey, inFlight, IN_FLIGHT_MS);
    } catch (error) {
      this.log.warn(`A request was refused: ${messageOf(error)}`);
      const detail = 'Not stored: whether this Idempotency-Key was used before is not known now.';
      throw new ProblemException(problemOf(503, 'KEY_STORE_UNAVAILABLE', detail));
    }
  }

  /** If it fails, the key is in flight until that is over. */
  private async tryTo(change: Promise<boolean>): Promise<void> {
    await change.catch((error: unknown) => this.log.warn(`A key stays in flight for a while: ${messageOf(error)}`));
  }
}

function refuseUnlessAccepted(earlier: string, fingerprint: string): void {
  const [earlierFingerprint, state] = earlier.split(' ');
  if (earlierFingerprint !== fingerprint) {
    const detail = 'This Idempotency-Key was used for another task. Make a new key for each task.';
    throw new ProblemException(problemOf(422, 'IDEMPOTENCY_KEY_REUSED', detail));
  }
  if (state !== ACCEPTED) {
    const detail = 'A request with this Idempotency-Key is in flight. Repeat it later to get its answer.';
    throw new ProblemException(problemOf(409, 'IDEMPOTENCY_IN_FLIGHT', detail));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
