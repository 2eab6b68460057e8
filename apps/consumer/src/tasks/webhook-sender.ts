import { Webhook } from 'standardwebhooks';
import { Agent, request, type Dispatcher } from 'undici';
import { DiscardTask, MercuryError, RetryTask } from '@mercury/messaging';
import type { WebhookPayload } from '@mercury/tasks';
import { AddressGuard, type Resolve } from './address-guard';
import { bytesToRead, maskedAnswer, receiverName, secretsOf } from './receiver-name';

const MOST_REDIRECTS = 3;
const LONGEST_RETRY_AFTER_MS = 24 * 3_600_000;
/** The two that keep method and body; the others would turn the delivery into a GET. */
const KEEPS_METHOD = new Set([307, 308]);
const RETRYABLE = new Set([408, 425, 429]);

export interface WebhookSenderOptions {
  /** `whsec_…`; without it webhooks go out unsigned. */
  secret?: string;
  /** `host` or `host:port` that may be reached although private. */
  allowedHosts: readonly string[];
  /** For the whole exchange, redirects included. */
  timeoutMs: number;
  /** Errors name the path of the address, too. Default false: it may be a password. */
  showPath?: boolean;
  /** Default: the machine's resolver. */
  resolve?: Resolve;
}

export interface WebhookDelivery {
  id: string;
  enqueuedAtMs: number;
  payload: WebhookPayload;
  signal: AbortSignal;
}

/** Delivers webhooks after the Standard Webhooks convention (standardwebhooks.com). */
export class WebhookSender {
  private readonly guard: AddressGuard;
  private readonly signer: Webhook | undefined;

  constructor(private readonly options: WebhookSenderOptions) {
    this.guard = new AddressGuard(options.allowedHosts, options.resolve);
    this.signer = options.secret === undefined ? undefined : new Webhook(options.secret);
  }

  /**
   * Posts once. Resolves to the status of a 2xx answer.
   * @throws RetryTask `WEBHOOK_STATUS_5XX`, `WEBHOOK_STATUS_429` and the like (`Retry-After` is honoured, up to a day),
   * `WEBHOOK_TIMEOUT`, `WEBHOOK_UNREACHABLE`.
   * @throws DiscardTask `WEBHOOK_STATUS_4XX`, `WEBHOOK_REDIRECT`, `WEBHOOK_REFUSED_ADDRESS`: another attempt would not help.
   */
  async send(delivery: WebhookDelivery): Promise<number> {
    const body = JSON.stringify({
      type: delivery.payload.event,
      timestamp: new Date(delivery.enqueuedAtMs).toISOString(),
      data: delivery.payload.data,
    });
    const ended = new AbortController();
    const onAbort = () => ended.abort(delivery.signal.reason);
    if (delivery.signal.aborted) onAbort();
    delivery.signal.addEventListener('abort', onAbort);
    // A timer of its own: Node 20 collects an AbortSignal.timeout that only a combined signal knows of.
    const timer = setTimeout(() => ended.abort(), this.options.timeoutMs);
    try {
      return await this.follow(new URL(delivery.payload.url), this.headersOf(delivery.id, body), body, ended.signal);
    } finally {
      clearTimeout(timer);
      delivery.signal.removeEventListener('abort', onAbort);
    }
  }

  /** Posts, and posts again where a redirect leads. */
  private async follow(from: URL, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<number> {
    let url = from;
    const visited: URL[] = [];
    for (let redirects = 0; ; redirects++) {
      visited.push(url);
      const secrets = secretsOf(visited, this.showsPath, headers['webhook-signature']);
      const answer = await this.post(url, headers, body, signal, secrets);
      if (answer.status < 300) return answer.status;
      const next = redirectOf(answer, url);
      if (!next) throw this.refusalOf(answer, url);
      if (redirects === MOST_REDIRECTS) {
        throw new DiscardTask(`${this.nameOf(url)} redirects more than ${MOST_REDIRECTS} times.`, {
          code: 'WEBHOOK_REDIRECT',
        });
      }
      url = next;
    }
  }

  private headersOf(id: string, body: string): Record<string, string> {
    const at = new Date();
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'mercury-webhooks',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    };
    return this.signer ? { ...headers, 'webhook-signature': this.signer.sign(id, at, body) } : headers;
  }

  private async post(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
    secrets: readonly string[],
  ): Promise<Answer> {
    this.guard.checkLiteral(url);
    // One connection each: what was checked for one host name is never reused for another.
    const agent = new Agent({
      connect: { lookup: this.guard.lookupFor(url), timeout: this.options.timeoutMs },
      // The signal ends what takes too long; the limits of undici must not come first.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 0,
    });
    try {
      const response = await request(url, { method: 'POST', headers, body, signal, dispatcher: agent });
      return { status: response.statusCode, headers: response.headers, said: await saidIn(response, secrets) };
    } catch (cause) {
      throw this.unanswered(cause, url, signal);
    } finally {
      await agent.destroy();
    }
  }

  private nameOf(url: URL): string {
    return receiverName(url, this.showsPath);
  }

  private get showsPath(): boolean {
    return this.options.showPath ?? false;
  }

  private refusalOf({ status, headers, said }: Answer, url: URL): MercuryError {
    const message = `${this.nameOf(url)} answered ${status}${said === '' ? '.' : `: ${said}`}`;
    if (status >= 500 || RETRYABLE.has(status)) {
      const delayMs = retryAfterMs(headers['retry-after']);
      const code = status >= 500 ? 'WEBHOOK_STATUS_5XX' : `WEBHOOK_STATUS_${status}`;
      return new RetryTask(message, { code, ...(delayMs === undefined ? {} : { delayMs }) });
    }
    return new DiscardTask(message, { code: status < 400 ? 'WEBHOOK_REDIRECT' : 'WEBHOOK_STATUS_4XX' });
  }

  private unanswered(cause: unknown, url: URL, signal: AbortSignal): MercuryError {
    if (cause instanceof DiscardTask) return cause;
    // Taken away by the worker, which says why.
    if (signal.reason instanceof MercuryError) return signal.reason;
    if (signal.aborted) {
      const message = `${this.nameOf(url)} did not answer within ${this.options.timeoutMs} ms.`;
      return new RetryTask(message, { code: 'WEBHOOK_TIMEOUT' });
    }
    const reason = (cause as { code?: string }).code ?? String(cause);
    return new RetryTask(`${this.nameOf(url)} cannot be reached: ${reason}.`, { code: 'WEBHOOK_UNREACHABLE', cause });
  }
}

interface Answer {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  said: string;
}

/** Enough of the answer for a person to see what is wrong; the rest is not read, nor anything of a success. */
async function saidIn({ body, statusCode }: Dispatcher.ResponseData, secrets: readonly string[]): Promise<string> {
  body.on('error', () => undefined);
  if (statusCode < 300) {
    body.destroy();
    return '';
  }
  const mostBytes = bytesToRead(secrets);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isWhole = false;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > mostBytes) break;
    }
    isWhole = bytes <= mostBytes;
  } catch {
    // The status says enough: a body that breaks off or stalls does not change the outcome.
  }
  body.destroy();
  return maskedAnswer(Buffer.concat(chunks).subarray(0, mostBytes).toString('utf8'), secrets, isWhole);
}

/** Where a 307 or 308 leads. It is checked like the first address; the signature covers id, time and body, not the host. */
function redirectOf({ status, headers }: Answer, from: URL): URL | undefined {
  if (!KEEPS_METHOD.has(status)) return undefined;
  const location = String(headers['location'] ?? '');
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isHttp = next && ['http:', 'https:'].includes(next.protocol);
  return isHttp && next.username === '' && next.password === '' ? next : undefined;
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | string[] | undefined, nowMs = Date.now()): number | undefined {
  const value = String(header ?? '').trim();
  if (value === '') return undefined;
  const delayMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(delayMs) ? undefined : Math.min(Math.max(delayMs, 0), LONGEST_RETRY_AFTER_MS);
}
