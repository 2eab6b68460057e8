import { rabbitUrl, uniqueName } from './rabbit';

/**
 * A part of the broker for one test alone, with users of its own, as an operator makes them over the management API: on a shared broker two runs
 * at once, or what somebody has tried by hand, would mix. The API can also tell what AMQP cannot.
 */
export class VirtualHost {
  private readonly users: string[] = [];

  private constructor(readonly name: string) {}

  static async create(): Promise<VirtualHost> {
    const name = uniqueName('own');
    await manage('PUT', `vhosts/${name}`, {});
    const { username } = new URL(rabbitUrl());
    await manage('PUT', `permissions/${name}/${username}`, { configure: '.*', write: '.*', read: '.*' });
    return new VirtualHost(name);
  }

  /** As `rabbitmqctl import_definitions` does: each definition names its virtual host. */
  static async import(definitions: object): Promise<void> {
    await manage('POST', 'definitions', definitions);
  }

  /** The URL of the user of this run, who may do everything. */
  get url(): string {
    const url = new URL(rabbitUrl());
    url.pathname = this.name;
    return url.href;
  }

  /** The URL of a new user, who has these rights. */
  async userWith(rights: { configure?: string; write?: string; read?: string }, password = 'hush'): Promise<string> {
    const user = uniqueName('user');
    this.users.push(user);
    await manage('PUT', `users/${user}`, { password, tags: '' });
    await manage('PUT', `permissions/${this.name}/${user}`, { configure: '^$', write: '^$', read: '^$', ...rights });
    const url = new URL(this.url);
    url.username = user;
    url.password = encodeURIComponent(password);
    return url.href;
  }

  async queuesBoundTo(exchange: string): Promise<string[]> {
    const bindings = await manage('GET', `exchanges/${this.name}/${exchange}/bindings/source`);
    return (bindings as { destination: string }[]).map(({ destination }) => destination);
  }

  async lifetimeOf(queue: string): Promise<{ exclusive: boolean; durable: boolean }> {
    const found = await manage('GET', `queues/${this.name}/${queue}`);
    const { exclusive, durable } = found as { exclusive: boolean; durable: boolean };
    return { exclusive, durable };
  }

  /** All that is declared here, as an operator exports it. */
  async definitions(): Promise<object> {
    return (await manage('GET', `definitions/${this.name}`)) as object;
  }

  async define(definitions: object): Promise<void> {
    await manage('POST', `definitions/${this.name}`, definitions);
  }

  async limitConnections(most: number): Promise<void> {
    await manage('PUT', `vhost-limits/${this.name}/max-connections`, { value: most });
  }

  async delete(): Promise<void> {
    for (const user of this.users) await manage('DELETE', `users/${user}`);
    await manage('DELETE', `vhosts/${this.name}`);
  }
}

async function manage(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
  const { origin, username, password } = new URL(process.env['RABBITMQ_MANAGER_URL'] ?? '');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(`${origin}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`The management API answered ${response.status} to ${method} ${path}`);
  return method === 'GET' ? response.json() : undefined;
}
