import { isError } from '../causes';
import { BrokerError } from '../errors';

/** Codes of Node.js and OpenSSL for a certificate, a key or a handshake that does not do. */
const OF_TLS = /^ERR_(TLS|SSL|OSSL)_|CERT|^UNABLE_TO_/;
/** Those of them by which Node.js says that it does not trust. */
const OF_TRUST = /^(?!ERR_).*CERT|^UNABLE_TO_/;

/** Why a connection could not be made or was lost, and what to do. */
export function connectionProblem(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  const text = isError(error) ? error.message || error.name : 'connection closed';
  const code = String((error as NodeJS.ErrnoException | undefined)?.code ?? '');
  if (OF_TLS.test(code)) return new BrokerError('BROKER_TLS_FAILED', tlsMessage(code, text), { cause: error });
  if (/ACCESS[-_]REFUSED/.test(text)) {
    return new BrokerError('BROKER_ACCESS_REFUSED', 'The broker refused the user or the password of rabbitUrl.', {
      cause: error,
    });
  }
  // A limit of user or virtual host that was reached later than at the beginning.
  const limit = /NOT_ALLOWED - ([^"]*)/.exec(text)?.[1];
  if (limit !== undefined) {
    return new BrokerError('BROKER_ACCESS_REFUSED', `The broker ended the connection: ${limit}.`, { cause: error });
  }
  // amqplib keeps the broker's words to itself here.
  if (text.includes('Expected ConnectionOpenOk')) {
    const message =
      'The broker refused the virtual host of rabbitUrl: it does not exist, this user may not use it, or it, or the user, has as many ' +
      'connections as allowed. The log of the broker says which.';
    return new BrokerError('BROKER_ACCESS_REFUSED', message, { cause: error });
  }
  if (text.includes('Socket closed abruptly')) {
    const message =
      'The broker ended the connection before it began; trying again. Is this its TLS port, which wants amqps://, or has the node as many ' +
      'connections as it takes?';
    return new BrokerError('BROKER_UNREACHABLE', message, { cause: error });
  }
  const message = `The broker cannot be reached (${text}); trying again. Is it running, and is rabbitUrl right?`;
  return new BrokerError('BROKER_UNREACHABLE', message, { cause: error });
}

/** What a broker that speaks no TLS makes of its beginning. */
const NO_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER/;
/** What a broker answers to a certificate that it does not take, or to none. */
const CLIENT_REFUSED = /ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|DECRYPT_ERROR)/;

function tlsMessage(code: string, text: string): string {
  if (NO_TLS.test(code)) {
    return 'The broker does not speak TLS on this port: use its TLS port (5671 unless configured otherwise), or amqp://.';
  }
  if (CLIENT_REFUSED.test(code)) {
    return `The broker refused the certificate of this client, or wants one (${code}): set tls.cert and tls.key (RABBITMQ_CERT_FILE, RABBITMQ_KEY_FILE).`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `The broker's certificate is for another name (${text}): set tls.serverName (RABBITMQ_SERVER_NAME) to the one in it.`;
  }
  if (/CERT_(HAS_EXPIRED|NOT_YET_VALID)/.test(code)) {
    return `The broker's certificate is not valid now (${text}): it has to be renewed, or the clock of this machine is wrong.`;
  }
  if (OF_TRUST.test(code)) {
    return `The broker's certificate is not trusted (${text}): set tls.ca (RABBITMQ_CA_FILE) to that of its authority.`;
  }
  return `Broker and client could not agree on TLS (${text}): do their versions and ciphers fit?`;
}
