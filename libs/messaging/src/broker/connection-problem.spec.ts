import { connectionProblem } from './connection-problem';

it.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', /not trusted.*RABBITMQ_CA_FILE/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /not trusted/],
  ['CERT_HAS_EXPIRED', /not valid now.*renewed.*clock/],
  ['CERT_NOT_YET_VALID', /not valid now/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /another name.*RABBITMQ_SERVER_NAME/],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /wants one.*RABBITMQ_CERT_FILE/],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', /wants one/],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', /refused the certificate of this client/],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', /could not agree on TLS/],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', /could not agree on TLS/],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', /does not speak TLS/],
  ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
])('%s is told as a problem of TLS, with what to do', (code, message) => {
  const cause = Object.assign(new Error('of OpenSSL'), { code });
  expect(connectionProblem(cause)).toMatchObject({
    code: 'BROKER_TLS_FAILED',
    message: expect.stringMatching(message) as unknown,
    cause,
  });
});

it('a virtual host that is full or unknown is not told as a wrong password', () => {
  const { message } = connectionProblem(new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>'));
  expect(message).toMatch(/virtual host.*does not exist.*may not use.*connections/);
  expect(message).not.toContain('password');
});

it('a broker that ends the connection at once may want TLS', () => {
  const problem = connectionProblem(new Error('Socket closed abruptly during opening handshake'));
  expect(problem).toMatchObject({ code: 'BROKER_UNREACHABLE' });
  expect(problem.message).toMatch(/amqps:\/\/.*connections/);
});

it('a limit that is reached later is told in the words of the broker', () => {
  const text = "number of channels opened for user 'ada' has reached the maximum allowed user limit of (1)";
  const cause = new Error(`Connection closed: 530 (NOT-ALLOWED) with message "NOT_ALLOWED - ${text}"`);
  expect(connectionProblem(cause)).toMatchObject({
    code: 'BROKER_ACCESS_REFUSED',
    message: `The broker ended the connection: ${text}.`,
  });
});
