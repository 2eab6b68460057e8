import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Arrival {
  path: string;
  taskId: string;
  /** 1 for the first time that this task arrives. */
  attempt: number;
  status: number;
  isSigned: boolean;
  body: string;
}

/** Somebody else's server, which webhooks are delivered to. What its paths do is on the label. */
export class Receiver {
  readonly arrivals: Arrival[] = [];
  private readonly server: Server;
  private readonly verifier: Webhook;

  constructor(
    secret: string,
    private readonly onArrival: (arrival: Arrival) => void,
  ) {
    this.verifier = new Webhook(secret);
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const status = this.arrive(request.url ?? '', request.headers, Buffer.concat(chunks).toString());
        response.writeHead(status).end();
      });
    });
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  urlOf(path: '/ok' | '/busy-once' | '/broken'): string {
    return `http://${this.host}${path}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private arrive(path: string, headers: IncomingHttpHeaders, body: string): number {
    const taskId = String(headers['webhook-id']);
    const attempt = 1 + this.arrivals.filter((earlier) => earlier.taskId === taskId).length;
    const status = statusOf(path, attempt);
    const arrival = { path, taskId, attempt, status, isSigned: this.isSigned(headers, body), body };
    this.arrivals.push(arrival);
    this.onArrival(arrival);
    return status;
  }

  private isSigned(headers: IncomingHttpHeaders, body: string): boolean {
    try {
      this.verifier.verify(body, headers as Record<string, string>);
      return true;
    } catch {
      return false;
    }
  }
}

function statusOf(path: string, attempt: number): number {
  if (path === '/busy-once') return attempt === 1 ? 503 : 200;
  return path === '/broken' ? 500 : 200;
}
