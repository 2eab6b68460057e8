const ANSWER_TIMEOUT_MS = 20_000;

/** The broker's management API, for what AMQP cannot tell. */
export class Management {
  private readonly origin: string;
  private readonly authorization: string;

  constructor(managementUrl: string) {
    const { origin, username, password } = new URL(managementUrl);
    this.origin = origin;
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

  /** The process of the only node; undefined until the broker has counted for the first time. */
  async processId(): Promise<number | undefined> {
    const [node] = (await this.request('GET', 'nodes')) as { os_pid?: string }[];
    return node?.os_pid === undefined ? undefined : Number(node.os_pid);
  }

  async request(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const headers = { authorization: this.authorization, 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const init = { method, headers, signal, ...(body ? { body: JSON.stringify(body) } : {}) };
    const response = await fetch(`${this.origin}/api/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`The management API answered ${response.status} to ${method} ${path}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}
