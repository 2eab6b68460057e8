import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** DER of X.509 (RFC 5280), as much as a certificate of a test needs. */
const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, utc: 0x17 } as const;
const SEQUENCE = 0x30;
const SET = 0x31;
const explicit = (number: number) => 0xa0 + number;
const DNS_NAME = 0x82;

/** The object identifiers, already encoded. */
const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
} as const;

/** Long enough for any clock that a test may run by. */
const VALID = ['000101000000Z', '491231235959Z'];

export interface Identity {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

/** An authority that nobody trusts but the test that made it. Its keys live as long as the process. */
export class Authority {
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  /** PEM. */
  readonly certificate: string;

  constructor(private readonly name: string) {
    this.certificate = this.sign(name, this.keys.publicKey, extension(OID.basicConstraints, sequence(TRUE)));
  }

  /** @param passphrase of the key. Default: none. */
  issue(name: string, passphrase?: string): Identity {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const encryption = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
    const alternative = extension(OID.subjectAltName, sequence(der(DNS_NAME, Buffer.from(name))));
    return {
      cert: this.sign(name, publicKey, alternative),
      key: String(privateKey.export({ type: 'pkcs8', format: 'pem', ...encryption })),
    };
  }

  private sign(subject: string, publicKey: KeyObject, ...extensions: Buffer[]): string {
    const algorithm = sequence(oid(OID.ecdsaWithSha256));
    const toBeSigned = sequence(
      der(explicit(0), der(TAG.integer, Buffer.from([2]))),
      // Its first bit is the sign.
      der(TAG.integer, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      algorithm,
      nameOf(this.name),
      sequence(...VALID.map((time) => der(TAG.utc, Buffer.from(time)))),
      nameOf(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(explicit(3), sequence(...extensions)),
    );
    const signature = sign('sha256', toBeSigned, this.keys.privateKey);
    return pem(sequence(toBeSigned, algorithm, der(TAG.bits, Buffer.from([0]), signature)));
  }
}

const TRUE = der(TAG.boolean, Buffer.from([0xff]));

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const long = Buffer.from([0x82, length >> 8, length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), length < 128 ? Buffer.from([length]) : long, content]);
}

function sequence(...contents: Buffer[]): Buffer {
  return der(SEQUENCE, ...contents);
}

function oid(encoded: string): Buffer {
  return der(TAG.oid, Buffer.from(encoded, 'hex'));
}

function nameOf(text: string): Buffer {
  return sequence(der(SET, sequence(oid(OID.commonName), der(TAG.utf8, Buffer.from(text)))));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), TRUE, der(TAG.octets, value));
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
