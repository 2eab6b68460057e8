import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { ConfigError } from '../errors';

/** How a broker with TLS (amqps://) is trusted, and how it is told who connects. All in PEM. */
export interface TlsOptions {
  /** The certificates that may sign the broker's. Default: those of Node.js. */
  ca?: string | Buffer;
  /** The client's own certificate, for brokers that want one; with `key`. */
  cert?: string | Buffer;
  key?: string | Buffer;
  /** Of the key. */
  passphrase?: string;
  /** The name that must stand in the broker's certificate. Default: the host of the URL. */
  serverName?: string;
}

/** The variables by which programs are told. */
export interface TlsVariables {
  RABBITMQ_CA_FILE?: string | undefined;
  RABBITMQ_CERT_FILE?: string | undefined;
  RABBITMQ_KEY_FILE?: string | undefined;
  RABBITMQ_KEY_PASSPHRASE?: string | undefined;
  RABBITMQ_SERVER_NAME?: string | undefined;
}

/**
 * The options that an environment asks for: `RABBITMQ_CA_FILE`, `RABBITMQ_CERT_FILE`, `RABBITMQ_KEY_FILE` (PEM), `RABBITMQ_KEY_PASSPHRASE`
 * and `RABBITMQ_SERVER_NAME`. Undefined when none of them is set.
 * @throws ConfigError `CONFIG_INVALID` for files that cannot be read.
 */
export function tlsFrom(variables: TlsVariables): TlsOptions | undefined {
  const problems: string[] = [];
  const tls = readTls(variables, problems);
  if (problems.length > 0) throw new ConfigError('Environment', problems);
  return tls;
}

/** @param problems gets each file that cannot be read. */
export function readTls(variables: TlsVariables, problems: string[]): TlsOptions | undefined {
  const read = (name: 'RABBITMQ_CA_FILE' | 'RABBITMQ_CERT_FILE' | 'RABBITMQ_KEY_FILE') => {
    const path = variables[name];
    if (!path) return undefined;
    try {
      return readFileSync(path);
    } catch (error) {
      problems.push(`${name} cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  };
  return given({
    ca: read('RABBITMQ_CA_FILE'),
    cert: read('RABBITMQ_CERT_FILE'),
    key: read('RABBITMQ_KEY_FILE'),
    passphrase: variables.RABBITMQ_KEY_PASSPHRASE || undefined,
    serverName: variables.RABBITMQ_SERVER_NAME || undefined,
  });
}

/**
 * @param urls those of the broker; none where they are wrong themselves.
 * @param problems gets what cannot be used, cannot work together, or is for no URL at all.
 */
export function checkTls(tls: TlsOptions | undefined, urls: readonly string[], problems: string[]): void {
  if (!tls) return;
  if (urls.length > 0 && !urls.some((url) => url.startsWith('amqps:'))) {
    problems.push('tls is given, but no rabbitUrl is amqps://');
  }
  // Node.js would pass over it, and trust nobody.
  if (tls.ca !== undefined && !isCertificate(tls.ca)) problems.push('tls.ca holds no certificate in PEM');
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    problems.push('tls.cert and tls.key belong together');
    return;
  }
  try {
    createSecureContext(socketOptionsOf({ ...tls, ca: undefined }));
  } catch (error) {
    const why = (error as Error).message;
    problems.push(
      `tls.cert, tls.key and tls.passphrase cannot be used (${why}): they must be PEM, and belong together`,
    );
  }
}

function isCertificate(pem: string | Buffer): boolean {
  try {
    return pem.includes('-----BEGIN ') && new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** As Node.js has them. */
export function socketOptionsOf({ serverName, ...certificates }: TlsOptions): ConnectionOptions {
  return { ...certificates, ...(serverName === undefined ? {} : { servername: serverName }) };
}

function given(tls: { [Name in keyof TlsOptions]: TlsOptions[Name] | undefined }): TlsOptions | undefined {
  const entries = Object.entries(tls).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
