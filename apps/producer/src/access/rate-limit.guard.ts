import { Injectable, type ExecutionContext } from '@nestjs/common';
import { ThrottlerGuard } from '@nestjs/throttler';
import type { IdentifiedRequest } from './api-key.hook';

/** Counts per API key, or per address where keys are not asked for. */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  /** Where nothing is limited at all, the limits of each route are not looked up. */
  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return this.commonOptions.skipIf?.(context) ?? false;
  }

  /** One count for all routes. */
  protected override generateKey(_context: ExecutionContext, tracker: string): string {
    return tracker;
  }

  protected override async getTracker(request: IdentifiedRequest): Promise<string> {
    return request.client ?? request.ip;
  }
}
