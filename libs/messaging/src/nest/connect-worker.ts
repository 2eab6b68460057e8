import type { INestApplication } from '@nestjs/common';
import { WorkerTransport } from './worker.transport';

/**
 * Connects the application's `@TaskHandler` methods to the work queue; `app.startAllMicroservices()` then starts to
 * consume. Call it after `useGlobalPipes` and the like: handlers inherit what is set by then.
 */
export function connectWorker(app: INestApplication): void {
  app.connectMicroservice({ strategy: app.get(WorkerTransport) }, { inheritAppConfig: true });
}
