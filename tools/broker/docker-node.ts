import type { ChildProcess } from 'node:child_process';
import { lastWill, run } from './child';
import type { NodePorts } from './broker-node';
import { untilListening } from './ports';

/** The same private broker in a container, published on loopback only. */
export class DockerNode {
  private readonly name: string;
  private created = false;
  private will: ChildProcess | undefined;

  constructor(
    private readonly image: string,
    private readonly ports: NodePorts,
    /** Keeps the data. Default: they go with the container. */
    private readonly volume?: string,
  ) {
    this.name = `mercury-broker-${ports.amqp}`;
  }

  async start(): Promise<void> {
    if (this.created) {
      await run('docker', ['start', this.name]);
    } else {
      const publish = [`127.0.0.1:${this.ports.amqp}:5672`, `127.0.0.1:${this.ports.management}:15672`];
      const options = publish.flatMap((each) => ['--publish', each]);
      if (this.volume) options.push('--volume', `${this.volume}:/var/lib/rabbitmq`);
      // Also one that does not start, or whose image is still on its way, is to be removed.
      this.created = true;
      this.will = lastWill('docker', 'rm', '--force', '--volumes', this.name);
      await run('docker', ['run', '--detach', '--name', this.name, '--hostname', 'localhost', ...options, this.image]);
    }
    // Docker's proxy accepts before the broker does: ask the broker itself.
    await run('docker', [
      'exec',
      this.name,
      'sh',
      '-c',
      'until rabbitmq-diagnostics -q check_port_connectivity; do sleep 1; done',
    ]);
    await untilListening(this.ports.management, 30_000, () => false);
  }

  async stop(): Promise<void> {
    await run('docker', ['stop', this.name]);
  }

  async kill(): Promise<void> {
    await run('docker', ['kill', this.name]);
  }

  async close(): Promise<void> {
    if (this.volume) await this.stop().catch(() => undefined);
    if (this.created) await run('docker', ['rm', '--force', '--volumes', this.name]);
    this.will?.kill('SIGKILL');
  }
}
