import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { KeyStoreModule, MessagingModule, brokerOptionsOf } from '@mercury/messaging/nest';
import { HealthModule } from '@mercury/messaging/nest/health';
import { MetricsModule } from '@mercury/messaging/nest/metrics';
import { structuredLogs } from '@mercury/messaging/nest/logs';
import { golevelupLink } from '@mercury/messaging/golevelup';
import { DeadLettersController } from './dead-letters/dead-letters.controller';
import { EventsController } from './events/events.controller';
import { IDEMPOTENCY_TTL_MS, Idempotency } from './idempotency/idempotency';
import { Operations } from './operations';
import type { ProducerEnvironment } from './producer.config';
import { schedulesFromFile } from './schedules/schedules-file';
import { TasksController } from './tasks/tasks.controller';

@Module({})
export class ProducerModule {
  static with(environment: ProducerEnvironment): DynamicModule {
    const { SCHEDULES_FILE } = environment;
    return {
      module: ProducerModule,
      imports: [
        LoggerModule.forRoot(structuredLogs(environment.LOG_LEVEL)),
        KeyStoreModule.forRoot({ redisUrl: environment.REDIS_URL }),
        MessagingModule.forRoot({
          ...brokerOptionsOf(environment),
          link: golevelupLink,
          queueName: environment.QUEUE_NAME,
          loggerName: environment.LOGGER_NAME,
          retryDelaysMs: environment.RETRY_DELAYS_MS,
          schedules: SCHEDULES_FILE ? schedulesFromFile(SCHEDULES_FILE) : [],
        }),
        HealthModule,
        MetricsModule,
      ],
      controllers: [TasksController, EventsController, DeadLettersController],
      providers: [Operations, Idempotency, { provide: IDEMPOTENCY_TTL_MS, useValue: environment.IDEMPOTENCY_TTL_MS }],
    };
  }
}
