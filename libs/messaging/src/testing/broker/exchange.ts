export type ExchangeKind = 'direct' | 'fanout' | 'topic' | 'headers';

type Headers = Readonly<Record<string, unknown>>;

interface Binding {
  queue: string;
  key: string;
  headers: Headers;
}

/** Routes messages to the queues that are bound to it (RabbitMQ docs, exchanges). */
export class Exchange {
  private bindings: Binding[] = [];

  /** @param alternate the exchange that gets what fits no binding. */
  constructor(
    readonly kind: ExchangeKind,
    readonly isDurable: boolean,
    readonly alternate: string | undefined,
  ) {}

  /** The same binding twice is one. */
  bind(queue: string, key: string, headers: Headers): void {
    if (!this.bindings.some(isSame({ queue, key, headers }))) this.bindings.push({ queue, key, headers });
  }

  /** What is not bound is no error. */
  unbind(queue: string, key: string, headers: Headers): void {
    const gone = isSame({ queue, key, headers });
    this.bindings = this.bindings.filter((binding) => !gone(binding));
  }

  forget(queue: string): void {
    this.bindings = this.bindings.filter((binding) => binding.queue !== queue);
  }

  /** Each queue once, however many of its bindings fit. */
  queuesFor(key: string, headers: Headers): Set<string> {
    return new Set(this.bindings.filter((binding) => this.fits(binding, key, headers)).map(({ queue }) => queue));
  }

  private fits(binding: Binding, key: string, headers: Headers): boolean {
    switch (this.kind) {
      case 'direct':
        return binding.key === key;
      case 'fanout':
        return true;
      case 'topic':
        return fitsPattern(wordsOf(binding.key), wordsOf(key));
      case 'headers':
        return fitsHeaders(binding.headers, headers);
    }
  }
}

function isSame({ queue, key, headers }: Binding): (other: Binding) => boolean {
  const wanted = JSON.stringify(headers);
  return (other) => other.queue === queue && other.key === key && JSON.stringify(other.headers) === wanted;
}

/** No key is no word, not one that is empty. */
function wordsOf(key: string): string[] {
  return key === '' ? [] : key.split('.');
}

/** `*` is one word, `#` any number of them. */
function fitsPattern([pattern, ...patterns]: readonly string[], words: readonly string[]): boolean {
  if (pattern === undefined) return words.length === 0;
  if (pattern === '#')
    return words.some((_, index) => fitsPattern(patterns, words.slice(index))) || fitsPattern(patterns, []);
  const [word, ...others] = words;
  return (pattern === '*' ? word !== undefined : pattern === word) && fitsPattern(patterns, others);
}

/** A binding's `x-` headers take no part, but for `x-match`. */
function fitsHeaders(wanted: Headers, headers: Headers): boolean {
  const names = Object.keys(wanted).filter((name) => !name.startsWith('x-'));
  const isThere = (name: string) => headers[name] !== undefined && headers[name] === wanted[name];
  return wanted['x-match'] === 'any' ? names.some(isThere) : names.every(isThere);
}
