import { Processes, type ProjectProcess } from '../../support/processes';
import { Rabbit } from '../../support/rabbit';
import { VirtualHost } from '../../support/virtual-host';

/** One example, run as its readers run it, each test with queues of its own. Make one at the top of the file. */
export class Example {
  readonly processes = new Processes();
  vhost!: VirtualHost;
  rabbit!: Rabbit;
  private readonly undo: (() => Promise<void>)[] = [];

  constructor(private readonly name: string) {
    beforeEach(async () => {
      this.vhost = await VirtualHost.create();
      this.undo.push(() => this.vhost.delete());
      this.processes.env['RABBITMQ_URL'] = this.vhost.url;
      this.rabbit = await Rabbit.connect(this.vhost.url);
      this.undo.unshift(() => this.rabbit.close());
    });
    afterEach(async () => {
      for (const undo of this.undo.splice(0)) await undo();
    });
  }

  /** Starts a role that stays, and resolves when it says that it waits. */
  async stays(role: string, ...args: string[]): Promise<ProjectProcess> {
    const started = this.processes.start('example', this.name, role, ...args);
    await started.until(/^Waiting for .*Ctrl-C/);
    return started;
  }

  /** Runs a role that ends by itself; resolves to what it printed. */
  async ends(role: string, ...args: string[]): Promise<string[]> {
    return (await this.processes.run('example', this.name, role, ...args)).stdout;
  }
}

/** What a role that stays has printed after its first line. */
export function printedBy(role: ProjectProcess): string[] {
  return role.stdout.slice(1);
}
