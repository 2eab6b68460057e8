import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Readiness } from '@mercury/messaging/nest';
import { BusListener } from './bus-listener';
import { SINKS, type Sink } from './sinks';

/** What this application watches. */
@Injectable()
export class Operations implements OnModuleInit {
  constructor(
    private readonly listener: BusListener,
    private readonly readiness: Readiness,
    @Inject(SINKS) private readonly sinks: Sink[],
  ) {}

  onModuleInit(): void {
    this.readiness.watch('bus', this.listener);
    for (const sink of this.sinks) this.readiness.watch(`sink ${sink.name}`, sinkProblem(sink));
  }
}

function sinkProblem(sink: Sink) {
  return {
    get problem() {
      return sink.problem === undefined ? undefined : { code: 'SINK_FAILED', message: sink.problem };
    },
  };
}
