interface Stoppable {
  readonly events: { on(name: 'problem', listener: () => void): unknown };
  stop(): Promise<void>;
}

/** What a test uses, so that it is stopped however the test ends: what runs on would keep the whole run from ending. */
export class Used {
  private readonly things: Stoppable[] = [];

  /** Its problems are no warnings: the test asks for them. */
  add<Thing extends Stoppable>(thing: Thing): Thing {
    thing.events.on('problem', () => undefined);
    this.things.push(thing);
    return thing;
  }

  async stop(): Promise<void> {
    await Promise.all(this.things.splice(0).map((thing) => thing.stop()));
  }
}
