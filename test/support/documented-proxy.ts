import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type IncomingMessage, request as open } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/testing/free-port.js';
import { serveByTls } from './tls-server.js';
import { until } from './until.js';

const CERTIFICATE = fileURLToPath(new URL('tls-test-certificate.pem', import.meta.url));
const KEY = fileURLToPath(new URL('tls-test-key.pem', import.meta.url));

/** The nginx of this machine. Undefined: nginx is not installed. */
export const nginx = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'nginx'))
  .find(isExecutable);

/** A proxy in front of an app. */
export interface DocumentedProxy {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts a proxy with a `server` block of the manual: a real nginx if there is one, else a proxy that sends the same
 * headers.
 */
export function startProxy(config: string, upstream: string): Promise<DocumentedProxy> {
  return nginx ? startNginx(nginx, config, upstream) : startStandIn(config, upstream);
}

async function startNginx(program: string, config: string, upstream: string): Promise<DocumentedProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'jwt-allauth-nginx-'));
  const port = await freePort();
  const server = config
    .replace(/listen 443 ssl;/, `listen 127.0.0.1:${port} ssl;`)
    .replace(/ssl_certificate \S+;/, `ssl_certificate ${CERTIFICATE};`)
    .replace(/ssl_certificate_key \S+;/, `ssl_certificate_key ${KEY};`)
    .replaceAll('http://127.0.0.1:3000', upstream);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr error;
     events {} http { access_log off; ${paths.join(' ')} ${server} }`,
  );
  const child = spawn(program, ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' });
  await until(async () => {
    if (child.exitCode !== null) throw new Error('nginx refuses the lines of the manual');
    return fetch(`http://127.0.0.1:${port}`).then(
      () => true,
      () => false,
    );
  });
  return {
    port,
    close: async () => {
      child.kill();
      await once(child, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}

/** Sends each request on with the headers that the `location` of its path sets. */
async function startStandIn(config: string, upstream: string): Promise<DocumentedProxy> {
  const target = new URL(upstream);
  const locations = [...config.matchAll(/location (\S+) \{([^}]*)\}/g)].map(([, path = '', lines = '']) => ({
    path,
    set: [...lines.matchAll(/proxy_set_header (\S+) "?([^";]*)"?;/g)].map(([, name = '', value = '']) => [name, value]),
  }));
  const forward = (incoming: IncomingMessage) => {
    const { url = '/', method, headers, socket } = incoming;
    const { set = [] } = locations
      .filter(({ path }) => url.startsWith(path))
      .sort((a, b) => b.path.length - a.path.length)[0] ?? { set: [] };
    const values = variablesOf(headers, socket.remoteAddress ?? '', target.host);
    const sent = { ...headers, host: target.host, connection: 'close', upgrade: '' };
    for (const [name = '', value = ''] of set) {
      Object.assign(sent, { [name.toLowerCase()]: value.replace(/\$\w+/g, (variable) => values[variable] ?? '') });
    }
    const kept = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== ''));
    return open({ host: target.hostname, port: target.port, path: url, method, headers: kept });
  };
  const server = await serveByTls((incoming, outgoing) => {
    const asked = forward(incoming);
    asked.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    incoming.pipe(asked);
  });
  server.on('upgrade', (incoming, socket) => {
    const asked = forward(incoming);
    const head = ({ statusCode, statusMessage, rawHeaders }: IncomingMessage) => {
      const lines = rawHeaders.flatMap((name, index) => (index % 2 ? [] : [`${name}: ${rawHeaders[index + 1]}`]));
      return `${[`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines].join('\r\n')}\r\n\r\n`;
    };
    asked.on('upgrade', (answer, other) => {
      socket.write(head(answer));
      other.pipe(socket).pipe(other);
    });
    asked.on('response', (answer) => {
      socket.write(head(answer));
      answer.pipe(socket);
    });
    asked.end();
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The variables of nginx that the manual uses. */
function variablesOf(headers: IncomingHttpHeaders, address: string, proxied: string): Record<string, string> {
  const before = headers['x-forwarded-for'];
  return {
    $host: (headers.host ?? '').replace(/:\d+$/, '').toLowerCase(),
    $proxy_host: proxied,
    $proxy_add_x_forwarded_for: before ? `${before}, ${address}` : address,
    $scheme: 'https',
    $http_upgrade: headers.upgrade ?? '',
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
