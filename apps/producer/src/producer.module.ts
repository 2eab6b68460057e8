import { Module, type DynamicModule } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { LoggerModule } from 'nestjs-pino';
import {
  KeyStoreModule,
  MessagingModule,
  OperationsModule,
  structuredLogs,
  brokerOptionsOf,
} from '@mercury/messaging/nest';
import { API_KEYS, ApiKeys } from './access/api-keys';
import { DeadLettersController } from './dead-letters/dead-letters.controller';
import { EventsController } from './events/events.controller';
import { IDEMPOTENCY_TTL_MS, Idempotency } from './idempotency/idempotency';
import { Operations } from './operations';
import type { ProducerEnvironment } from './producer.config';
import { schedulesFromFile } from './schedules/schedules-file';
import { TasksController } from './tasks/tasks.controller';

const ONE_MINUTE_MS = 60_000;

@Module({})
export class ProducerModule {
  static with(environment: ProducerEnvironment): DynamicModule {
    const { API_KEYS_FILE, RATE_LIMIT_PER_MINUTE, SCHEDULES_FILE } = environment;
    return {
      module: ProducerModule,
      imports: [
        LoggerModule.forRoot(structuredLogs(environment.LOG_LEVEL)),
        KeyStoreModule.forRoot({ redisUrl: environment.REDIS_URL }),
        MessagingModule.forRoot({
          ...brokerOptionsOf(environment),
          queueName: environment.QUEUE_NAME,
          loggerName: environment.LOGGER_NAME,
          retryDelaysMs: environment.RETRY_DELAYS_MS,
          schedules: SCHEDULES_FILE ? schedulesFromFile(SCHEDULES_FILE) : [],
        }),
        OperationsModule,
        ThrottlerModule.forRoot({
          throttlers: [{ ttl: ONE_MINUTE_MS, limit: RATE_LIMIT_PER_MINUTE ?? 0 }],
          skipIf: () => RATE_LIMIT_PER_MINUTE === undefined,
        }),
      ],
      controllers: [TasksController, EventsController, DeadLettersController],
      providers: [
        Operations,
        Idempotency,
        { provide: IDEMPOTENCY_TTL_MS, useValue: environment.IDEMPOTENCY_TTL_MS },
        { provide: API_KEYS, useFactory: () => (API_KEYS_FILE ? ApiKeys.fromFile(API_KEYS_FILE) : undefined) },
      ],
    };
  }
}
