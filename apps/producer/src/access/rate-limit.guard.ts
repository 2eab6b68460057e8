import { Injectable } from '@nestjs/common';
import { ThrottlerGuard } from '@nestjs/throttler';
import type { IdentifiedRequest } from './api-key.guard';

/** Counts per API key, or per address where keys are not asked for. */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  protected override async getTracker(request: IdentifiedRequest): Promise<string> {
    return request.client ?? request.ip;
  }
}
