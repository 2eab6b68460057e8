import { rabbitUrl, uniqueName } from './rabbit';

/** A virtual host of one test alone, with users of its own, as an operator makes them over the management API. */
export class OwnVirtualHost {
  private readonly users: string[] = [];

  private constructor(readonly name: string) {}

  static async create(): Promise<OwnVirtualHost> {
    const name = uniqueName('rights');
    await manage('PUT', `vhosts/${name}`, {});
    const { username } = new URL(rabbitUrl());
    await manage('PUT', `permissions/${name}/${username}`, { configure: '.*', write: '.*', read: '.*' });
    return new OwnVirtualHost(name);
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

  async limitConnections(most: number): Promise<void> {
    await manage('PUT', `vhost-limits/${this.name}/max-connections`, { value: most });
  }

  async delete(): Promise<void> {
    for (const user of this.users) await manage('DELETE', `users/${user}`);
    await manage('DELETE', `vhosts/${this.name}`);
  }
}

async function manage(method: 'PUT' | 'DELETE', path: string, body?: object): Promise<void> {
  const { origin, username, password } = new URL(process.env['RABBITMQ_MANAGER_URL'] ?? '');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(`${origin}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`The management API answered ${response.status} to ${method} ${path}`);
}
