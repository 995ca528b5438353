/** How connections are encrypted and who is trusted, in the words of Node.js's own `tls.connect`. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as nodeTls from 'node:tls';
import {
  type Check,
  describe,
  type ForeignNames,
  flag,
  invalid,
  type OptionPath,
  object,
  oneOf,
  secret,
  text,
  unsupported,
} from './check.js';
import { foreign, isOff } from './foreign-names.js';
import { defined, type NativePem, type NativeTls } from './native-config.js';

/** Text in PEM, or a file of it, which is read again once it has changed. */
export type Pem = string | Uint8Array | { readonly file: string };

/** The names are those of Node.js's `tls.connect`. */
export interface TlsOptions {
  /** Who may have signed the server's certificate. @default whom Node.js trusts, with NODE_EXTRA_CA_CERTS */
  ca?: Pem | readonly Pem[] | undefined;
  /** The client's certificate, where the server asks for one. @default none */
  cert?: Pem | readonly Pem[] | undefined;
  /** The key of `cert`. @default none */
  key?: Pem | undefined;
  /** Opens `key`; a key in a file is then read once. @default none */
  passphrase?: string | undefined;
  /** The name that the server's certificate must have. @default the host of the address */
  servername?: string | undefined;
  /** `false` = whoever answers is trusted: encrypted, but open to who stands between. @default true */
  rejectUnauthorized?: boolean | undefined;
  /** The oldest version that is spoken. @default 'TLSv1.2' */
  minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
}

/** Options of `tls.connect` that change nothing here: what is agreed on is strong, or is not agreed on. */
const IGNORED = new Set([
  'ALPNProtocols',
  'ciphers',
  'ecdhCurve',
  'enableTrace',
  'honorCipherOrder',
  'host',
  'maxVersion',
  'port',
  'requestCert',
  'session',
  'sigalgs',
  'timeout',
]);

const ADVICE: Readonly<Record<string, string>> = {
  checkServerIdentity: 'Give the name that the certificate has in "servername"',
  pfx: 'Give "cert" and "key" in PEM: openssl pkcs12 -in file.p12 -nodes',
  secureContext: 'Give "ca", "cert" and "key" themselves',
};

const notes: ForeignNames = (name, at, value) => {
  if (isOff(value) || IGNORED.has(name)) {
    return 'ignored';
  }
  const advice = ADVICE[name];
  return advice === undefined
    ? undefined
    : unsupported(at, 'it has no meaning for the native client', advice);
};

const pem: Check<NativePem> = (value, at) => {
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const written = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
    // Environment variables hold it in one line.
    const lines = written.includes('\n') ? written : written.replaceAll('\\n', '\n');
    if (!lines.includes('-----BEGIN ')) {
      const advice = written.length < 1000 ? 'For a file write { file: path }' : '';
      throw invalid(at, 'text in PEM (-----BEGIN …)', 'something else', advice);
    }
    return lines;
  }
  const file = (value as { file?: unknown } | null | undefined)?.file;
  if (typeof file !== 'string' || file === '') {
    throw invalid(at, 'text in PEM, or { file: path }', describe(value, true));
  }
  return { file };
};

const pems: Check<NativePem[]> = (value, at) =>
  Array.isArray(value)
    ? value.map((one, i) => pem(one, { ...at, path: `${at.path}[${i}]` }))
    : [pem(value, at)];

/** rustls reads a chain from one text. */
const chain: Check<NativePem> = (value, at) => {
  const all = pems(value, at);
  const [first] = all;
  if (all.length === 1 && first !== undefined) {
    return first;
  }
  if (all.length === 0 || all.some((one) => typeof one !== 'string')) {
    throw invalid(at, 'one file, or texts in PEM', 'something else');
  }
  return all.join('\n');
};

type Parsed = { ca: NativePem[]; cert: NativePem; key: NativePem };

const details = object<TlsOptions, Parsed>(
  foreign<TlsOptions, Parsed>({
    ca: pems,
    cert: chain,
    key: pem,
    passphrase: secret,
    servername: text(),
    rejectUnauthorized: flag,
    minVersion: oneOf('TLSv1.2', 'TLSv1.3'),
  }),
  notes,
);

/** `true` and an empty object switch it on, as in ioredis; `false` and `null` off. */
export const tlsOption: Check<NativeTls | false> = (value, at) => {
  if (isOff(value)) {
    return false;
  }
  if (value === true) {
    return { ca: roots() };
  }
  if (typeof value === 'string') {
    throw unsupported(
      at,
      'profiles have no meaning here',
      'Write true; for a server with certificates of its own, { ca }',
    );
  }
  const { ca, key, passphrase, ...rest } = details(value, at);
  return {
    ca: ca ?? roots(),
    ...defined(rest as Omit<NativeTls, 'ca'>),
    ...(key === undefined ? {} : { key: passphrase === undefined ? key : opened(key, passphrase, at) }),
  };
};

function opened(key: NativePem, passphrase: string, at: OptionPath): string {
  try {
    const text = typeof key === 'string' ? key : readFileSync(key.file, 'utf8');
    return createPrivateKey({ key: text, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch {
    throw invalid(
      { ...at, path: `${at.path}.key` },
      'a key that "passphrase" opens',
      'another, or a file that cannot be read',
    );
  }
}

let known: NativePem[] | undefined;

/** Whom Node.js itself trusts, so that what works with other clients works here. */
function roots(): NativePem[] {
  known ??= [trusted().join('\n')];
  return known;
}

function trusted(): readonly string[] {
  // Of Node.js 22.15 and later, with NODE_EXTRA_CA_CERTS and --use-system-ca.
  const { getCACertificates } = nodeTls as { getCACertificates?: (kind: 'default') => string[] };
  if (getCACertificates !== undefined) {
    return getCACertificates('default');
  }
  const { NODE_EXTRA_CA_CERTS: extra } = process.env;
  return extra === undefined || extra === ''
    ? nodeTls.rootCertificates
    : [...nodeTls.rootCertificates, more(extra)];
}

/** Node.js warns of a file that it cannot read, and goes on. */
function more(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** One answer from several places. Of two that say more than "on", none is the better one. */
export function agreedTls(
  caller: string,
  given: ReadonlyArray<readonly [name: string, value: NativeTls | false | undefined]>,
): NativeTls | undefined {
  const said = given.filter(([, value]) => value !== undefined);
  const off = said.find(([, value]) => value === false);
  const on = said.filter(
    (one): one is readonly [string, NativeTls] => one[1] !== undefined && one[1] !== false,
  );
  const [first] = on;
  if (first === undefined) {
    return undefined;
  }
  if (off !== undefined) {
    throw invalid(
      { caller, path: off[0] },
      `TLS, which "${first[0]}" asks for`,
      'none',
      'Change one of them',
    );
  }
  const detailed = on.filter(([, value]) => Object.keys(value).length > 1 || value.ca !== known);
  if (detailed.length > 1) {
    throw invalid(
      { caller, path: detailed[1]?.[0] ?? '' },
      `nothing beside "${detailed[0]?.[0]}"`,
      'TLS options twice',
      'Put them in one place',
    );
  }
  return (detailed[0] ?? first)[1];
}

/** What `rediss://` asks for. */
export function plainTls(): NativeTls {
  return { ca: roots() };
}
