import { rabbitUrl, uniqueName } from '../../support/rabbit';

/**
 * A part of the broker for one test alone. The examples have fixed names, so on a shared broker two runs at once, or
 * what somebody has tried by hand, would mix. Made with the management API, which can also tell what AMQP cannot.
 */
export class VirtualHost {
  private constructor(private readonly name: string) {}

  static async create(): Promise<VirtualHost> {
    const name = uniqueName('example');
    await request('PUT', `vhosts/${name}`, {});
    const { username } = new URL(rabbitUrl());
    await request('PUT', `permissions/${name}/${username}`, { configure: '.*', write: '.*', read: '.*' });
    return new VirtualHost(name);
  }

  get url(): string {
    const url = new URL(rabbitUrl());
    url.pathname = this.name;
    return url.href;
  }

  async queuesBoundTo(exchange: string): Promise<string[]> {
    const bindings = await request('GET', `exchanges/${this.name}/${exchange}/bindings/source`);
    return (bindings as { destination: string }[]).map(({ destination }) => destination);
  }

  async lifetimeOf(queue: string): Promise<{ exclusive: boolean; durable: boolean }> {
    const found = await request('GET', `queues/${this.name}/${queue}`);
    const { exclusive, durable } = found as { exclusive: boolean; durable: boolean };
    return { exclusive, durable };
  }

  async delete(): Promise<void> {
    await request('DELETE', `vhosts/${this.name}`);
  }
}

async function request(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object): Promise<unknown> {
  const { origin, username, password } = new URL(process.env['RABBITMQ_MANAGER_URL'] ?? '');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(`${origin}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`The management API answered ${response.status} to ${method} ${path}`);
  return method === 'GET' ? response.json() : undefined;
}
