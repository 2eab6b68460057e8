import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Link {
  client: Socket;
  broker: Socket;
}

/** A TCP proxy in front of the broker, which can reset connections, or swallow what they say without closing them. */
export class Proxy {
  /** How long after the silence began each connection was given up by its client. */
  readonly noticedAfterMs: number[] = [];
  private readonly links = new Set<Link>();
  private silentSinceMs: number | undefined;
  private readonly server: Server;

  private constructor(private readonly targetPort: number) {
    this.server = createServer((client) => this.accept(client));
  }

  static async open(targetPort: number): Promise<Proxy> {
    const proxy = new Proxy(targetPort);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get openLinks(): number {
    return this.links.size;
  }

  /** RST to both sides of every connection: what was under way is gone. Returns how many. */
  resetAll(): number {
    const links = [...this.links];
    this.links.clear();
    for (const { client, broker } of links) {
      reset(client);
      reset(broker);
    }
    return links.length;
  }

  /** From now on nothing passes, in either direction, and nobody is told: as when a cable is pulled. */
  beginSilence(): void {
    this.silentSinceMs = performance.now();
  }

  /** Connections that were made before stay lost, as those behind a firewall that has forgotten them. */
  endSilence(): void {
    this.silentSinceMs = undefined;
    this.resetAll();
  }

  async close(): Promise<void> {
    this.resetAll();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    const broker = connect(this.targetPort, '127.0.0.1');
    const link = { client, broker };
    const bornInSilence = this.silentSinceMs !== undefined;
    this.links.add(link);
    const end = () => {
      this.links.delete(link);
      client.destroy();
      broker.destroy();
    };
    client.once('close', () => {
      const { silentSinceMs } = this;
      if (silentSinceMs === undefined) return end();
      // In the silence the broker does not hear of it.
      if (!bornInSilence) this.noticedAfterMs.push(performance.now() - silentSinceMs);
    });
    broker.once('close', () => {
      if (this.silentSinceMs === undefined) end();
    });
    this.pass(client, broker);
    this.pass(broker, client);
  }

  private pass(from: Socket, to: Socket): void {
    from.setNoDelay(true).on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      if (this.silentSinceMs !== undefined || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
  }
}

/** Node cannot reset a socket that is shutting down: it refuses, and then never closes it, so that the process never ends. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
