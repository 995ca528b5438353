// Certificates for servers and clients of tests, by the `openssl` command, in a folder of their own.

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  /** Paths. */
  readonly cert: string;
  readonly key: string;
}

export interface SignOptions {
  /** Its subjectAltName. @default 'DNS:localhost' */
  names?: string;
  /** Valid until yesterday. */
  expired?: boolean;
}

export interface Authority {
  /** Its own certificate, as text and as a path. */
  readonly ca: string;
  readonly caFile: string;
  sign(options?: SignOptions): Promise<Certificate>;
  /** A certificate that its own key signed, for `localhost`. */
  selfSigned(): Promise<Certificate>;
  /** Removes the folder. */
  remove(): Promise<void>;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

const CONFIG = (folder: string) => `
[ca]
default_ca = here
[here]
dir = ${folder}
new_certs_dir = ${folder}
database = ${folder}/index.txt
serial = ${folder}/serial
default_md = sha256
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
`;

export async function makeAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-tls-'));
  // memcached reads them as another user.
  await chmod(folder, 0o755);
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  await writeFile(at('openssl.cnf'), CONFIG(folder));
  await writeFile(at('index.txt'), '');
  await writeFile(at('serial'), '1000\n');
  const authority = { cert: at('ca.crt'), key: at('ca.key') };
  await openssl(
    ...['req', '-x509', ...NEW_KEY, '-config', at('openssl.cnf'), '-extensions', 'authority', '-days', '3'],
    ...['-subj', '/CN=Test authority', '-keyout', authority.key, '-out', authority.cert],
  );
  let made = 0;
  return {
    ca: await readFile(authority.cert, 'utf8'),
    caFile: authority.cert,
    async sign({ names = 'DNS:localhost', expired = false } = {}) {
      const name = `leaf${made++}`;
      const leaf = { cert: at(`${name}.crt`), key: at(`${name}.key`) };
      await openssl(
        'req',
        ...NEW_KEY,
        '-subj',
        `/CN=${name}`,
        '-keyout',
        leaf.key,
        '-out',
        at(`${name}.csr`),
      );
      await writeFile(at(`${name}.ext`), `subjectAltName = ${names}\n`);
      const dates = expired
        ? ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z']
        : ['-days', '3'];
      await openssl(
        ...['ca', '-batch', '-config', at('openssl.cnf'), '-cert', authority.cert, '-keyfile', authority.key],
        ...[...dates, '-extfile', at(`${name}.ext`), '-in', at(`${name}.csr`), '-out', leaf.cert, '-notext'],
      );
      await chmod(leaf.key, 0o644);
      return leaf;
    },
    async selfSigned() {
      const leaf = { cert: at('self.crt'), key: at('self.key') };
      await openssl(
        ...['req', '-x509', ...NEW_KEY, '-days', '3', '-subj', '/CN=localhost'],
        ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', leaf.key, '-out', leaf.cert],
      );
      return leaf;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The same key, which only the passphrase opens. */
export async function encrypted(key: string, passphrase: string): Promise<string> {
  const { stdout } = await run('openssl', ['pkey', '-in', key, '-aes256', '-passout', `pass:${passphrase}`]);
  return stdout;
}
