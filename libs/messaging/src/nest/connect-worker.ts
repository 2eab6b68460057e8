import type { INestApplication } from '@nestjs/common';

/** @deprecated Handlers start with the application by themselves: this does nothing any more, and will go. */
export function connectWorker(_app: INestApplication): void {}
