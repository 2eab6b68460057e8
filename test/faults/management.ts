const ANSWER_TIMEOUT_MS = 20_000;

/** The broker's management API, for what AMQP cannot tell. */
export class Management {
  private readonly origins: readonly string[];
  private readonly authorization: string;

  /** @param urls one per node: the first that answers is asked. */
  constructor(urls: readonly string[]) {
    this.origins = urls.map((url) => new URL(url).origin);
    const { username, password } = new URL(urls[0] ?? '');
    this.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  async createVirtualHost(name: string): Promise<void> {
    await this.request('PUT', `vhosts/${name}`, {});
    await this.request('PUT', `permissions/${name}/guest`, { configure: '.*', write: '.*', read: '.*' });
  }

  async deleteVirtualHost(name: string): Promise<void> {
    await this.request('DELETE', `vhosts/${name}`);
  }

  /**
   * Messages per queue: ready, unacknowledged, and those that wait inside a queue for their dead-letter target, which
   * a passive declare does not count. Undefined where the broker has not counted yet.
   */
  async depths(virtualHost: string): Promise<Map<string, number | undefined>> {
    const path = `queues/${virtualHost}?disable_stats=true&enable_queue_totals=true`;
    const queues = (await this.request('GET', path)) as { name: string; messages?: number }[];
    return new Map(queues.map(({ name, messages }) => [name, messages]));
  }

  /** The members of a quorum queue that are up, its leader first; undefined while there is none. */
  async membersOf(virtualHost: string, queue: string): Promise<string[] | undefined> {
    const found = (await this.request('GET', `queues/${virtualHost}/${queue}`)) as {
      leader?: string;
      online?: string[];
    };
    const { leader, online = [] } = found;
    if (!leader || !online.includes(leader)) return undefined;
    return [leader, ...online.filter((node) => node !== leader)].map((node) => node.split('@')[0] ?? node);
  }

  async version(): Promise<string> {
    return ((await this.request('GET', 'overview')) as { rabbitmq_version: string }).rabbitmq_version;
  }

  async runningNodes(): Promise<string[]> {
    const nodes = (await this.request('GET', 'nodes')) as { name: string; running: boolean }[];
    return nodes.filter(({ running }) => running).map(({ name }) => name);
  }

  async request(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const headers = { authorization: this.authorization, 'content-type': 'application/json' };
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error('The management API did not answer in time.')),
      ANSWER_TIMEOUT_MS,
    );
    try {
      const init = { method, headers, signal: late.signal, ...(body ? { body: JSON.stringify(body) } : {}) };
      return await this.answerTo(path, init);
    } finally {
      clearTimeout(timer);
    }
  }

  private async answerTo(path: string, init: RequestInit & { method: string }): Promise<unknown> {
    const { method } = init;
    const response = await this.ask(path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`The management API answered ${response.status} to ${method} ${path}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  private async ask(path: string, init: RequestInit): Promise<Response> {
    let failure: unknown;
    for (const origin of this.origins) {
      try {
        return await fetch(`${origin}/api/${path}`, init);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
