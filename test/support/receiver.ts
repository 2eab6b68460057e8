import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Collector } from './until';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  atMs: number;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
}

/** Where webhooks arrive: remembers each request and answers as the test says. */
export class Receiver {
  readonly requests = new Collector<Received>();
  /** Asked for each request, the first being number 1. */
  answer: (number: number, path: string) => Answer | Promise<Answer> = () => ({ status: 204 });
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url: path = '', headers } = request;
        this.requests.push({ path, headers, body: Buffer.concat(chunks).toString(), atMs: Date.now() });
        void Promise.resolve(this.answer(this.requests.values.length, path)).then((answer) =>
          response.writeHead(answer.status, answer.headers).end(),
        );
      });
    });
  }

  static async open(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
