import { Environment, WholeNumber, readEnvironment } from '@mercury/messaging/nest';
import { Transform } from 'class-transformer';
import { IsIn, IsInt, IsOptional, Matches, Max, Min, ValidateBy } from 'class-validator';

export class ConsumerEnvironment extends Environment {
  override PORT = 3001;

  /** Most tasks at once, per process: the consumer's prefetch. */
  @WholeNumber()
  @IsInt()
  @Min(1)
  @Max(65_535)
  WORKER_CAPACITY = 10;

  /** Attempts in all, the first included. */
  @WholeNumber()
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  MAX_ATTEMPTS = 6;

  /** Signs webhooks after Standard Webhooks; without it they go out unsigned. */
  @IsOptional()
  @Matches(/^whsec_[A-Za-z0-9+/]{22,}={0,2}$/, {
    message: 'WEBHOOK_SECRET must be whsec_ and at least 16 bytes in Base64',
  })
  WEBHOOK_SECRET?: string;

  /** `host` or `host:port`: may be reached although private or loopback. */
  @Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map((host) => host.trim()) : value,
  )
  @IsReachableHost()
  WEBHOOK_ALLOWED_HOSTS: string[] = [];

  /** Per delivery, in milliseconds. */
  @WholeNumber()
  @IsInt()
  @Min(1)
  @Max(600_000)
  WEBHOOK_TIMEOUT_MS = 10_000;

  /** Errors name the path of a webhook's address; without it they have a hash in its place. */
  @IsIn(['true', 'false'])
  WEBHOOK_SHOW_PATHS: 'true' | 'false' = 'false';
}

/** A name or address as URLs have it in the end: another one would never be met there. */
function IsReachableHost(): PropertyDecorator {
  const validate = (given: unknown) => {
    const [, host = '', port] = /^(\[[\da-fA-F:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/.exec(String(given)) ?? [];
    if (host === '' || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535 || !URL.canParse(`http://${host}`))
      return false;
    return new URL(`http://${host}`).hostname === host.toLowerCase();
  };
  const message =
    'WEBHOOK_ALLOWED_HOSTS must be host or host:port, separated by commas, as they stand in URLs (10.0.0.1, not 010.0.0.1; [::1], not [::0001])';
  return ValidateBy({ name: 'isReachableHost', validator: { validate } }, { each: true, message });
}

/** @throws ConfigError `CONFIG_INVALID`, with every wrong variable. */
export function readConsumerEnvironment(source: NodeJS.ProcessEnv = process.env): ConsumerEnvironment {
  return readEnvironment(ConsumerEnvironment, source);
}
