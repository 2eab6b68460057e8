import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Logger, type JsonObject, type Level } from '@mercury/messaging';
import { MessagingConnections } from '@mercury/messaging/nest';
import { LoggerEnvironment } from './logger.config';
import { SINKS, type Sink } from './sinks';

/** Gives each event of the bus to the sinks that take its level. */
@Injectable()
export class BusListener extends Logger implements OnApplicationShutdown {
  constructor(
    connections: MessagingConnections,
    environment: LoggerEnvironment,
    @Inject(SINKS) private readonly sinks: Sink[],
  ) {
    super({ connections, name: environment.LOGGER_NAME, topology: environment.TOPOLOGY });
  }

  override handleInfo(data: JsonObject): Promise<void> {
    return this.write('info', data);
  }

  override handleCritical(data: JsonObject): Promise<void> {
    return this.write('critical', data);
  }

  /** Flushed only after the last event: unsubscribe first. */
  async onApplicationShutdown(): Promise<void> {
    await this.stop();
    await Promise.all(this.sinks.map((sink) => sink.close()));
  }

  /** The next event comes when every sink has this one: until then the broker keeps the others, within its bounds. */
  private async write(level: Level, data: JsonObject): Promise<void> {
    const taking = this.sinks.filter(({ levels }) => levels.includes(level));
    await Promise.all(taking.map((sink) => sink.write(level, data)));
  }
}
