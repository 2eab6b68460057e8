import { InvalidArgumentError } from 'commander';
import { tlsFrom, type BrokerOptions } from '@mercury/messaging';

/** Where the broker is, by the environment. */
export function brokerOptions(): BrokerOptions {
  const tls = tlsFrom(process.env);
  return { rabbitUrl: process.env['RABBITMQ_URL'] || [], ...(tls ? { tls } : {}) };
}

/** The value of `--retry-delays`: `1000,60000`. The library says what is wrong with such a list of numbers. */
export function retryDelays(text: string): number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (values.some((value) => Number.isNaN(value)))
    throw new InvalidArgumentError('Write milliseconds, separated by commas: 1000,60000.');
  return values;
}
