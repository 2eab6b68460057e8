import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { KeyStore } from '@mercury/messaging';
import { KEY_STORE, KeyStoreModule, MessagingModule, brokerOptionsOf } from '@mercury/messaging/nest';
import { HealthModule } from '@mercury/messaging/nest/health';
import { MetricsModule } from '@mercury/messaging/nest/metrics';
import { structuredLogs } from '@mercury/messaging/nest/logs';
import { golevelupLink } from '@mercury/messaging/golevelup';
import { Operations } from './operations';
import type { ConsumerEnvironment } from './consumer.config';
import { TaskReports } from './task-reports';
import { SleepHandler } from './tasks/sleep.handler';
import { WebhookHandler } from './tasks/webhook.handler';
import { WebhookSender } from './tasks/webhook-sender';

@Module({})
export class ConsumerModule {
  static with(environment: ConsumerEnvironment): DynamicModule {
    return {
      module: ConsumerModule,
      imports: [
        LoggerModule.forRoot(structuredLogs(environment.LOG_LEVEL)),
        KeyStoreModule.forRoot({ redisUrl: environment.REDIS_URL }),
        MessagingModule.forRootAsync({
          inject: [KEY_STORE],
          useFactory: (keyStore: KeyStore) => ({
            ...brokerOptionsOf(environment),
            link: golevelupLink,
            queueName: environment.QUEUE_NAME,
            loggerName: environment.LOGGER_NAME,
            capacity: environment.WORKER_CAPACITY,
            maxAttempts: environment.MAX_ATTEMPTS,
            retryDelaysMs: environment.RETRY_DELAYS_MS,
            keyStore,
            idempotencyTtlMs: environment.IDEMPOTENCY_TTL_MS,
          }),
        }),
        HealthModule,
        MetricsModule,
      ],
      controllers: [WebhookHandler, SleepHandler],
      providers: [
        TaskReports,
        Operations,
        {
          provide: WebhookSender,
          useFactory: () =>
            new WebhookSender({
              ...(environment.WEBHOOK_SECRET === undefined ? {} : { secret: environment.WEBHOOK_SECRET }),
              allowedHosts: environment.WEBHOOK_ALLOWED_HOSTS,
              timeoutMs: environment.WEBHOOK_TIMEOUT_MS,
              showPath: environment.WEBHOOK_SHOW_PATHS === 'true',
            }),
        },
      ],
    };
  }
}
