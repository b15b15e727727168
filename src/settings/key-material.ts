import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject, sign, verify } from 'node:crypto';
import { type Algorithm, CURVES, isHmac, type KeyPairAlgorithm, MIN_RSA_BITS, SECRET_BYTES } from './algorithm.js';
import { SettingsError } from './settings-error.js';

/** A key with the one algorithm that it may be used with. */
export interface KeyMaterial {
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** What a line of VERIFYING_KEYS with an older secret begins with. */
const SECRET_PREFIX = 'secret:';

/** A block of PEM (RFC 7468), with its line ends as they are or written as `\n`. */
const PEM_BLOCK = /(?:\\[rn])*-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----(?:\\[rn])*/g;

const PRIVATE_LABELS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];
const PUBLIC_LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY'];

/**
 * The key of a shared secret.
 *
 * @param setting that is named in a fault; what it holds never is
 * @throws SettingsError when the secret is too short or was not copied whole
 */
export function readSecret(secret: string, algorithm: Algorithm, setting: string): KeyMaterial {
  const bytes = isHmac(algorithm) ? SECRET_BYTES[algorithm] : 0;
  const isCopiedBadly = /^\s|\s$|[\r\n]|\\n/.test(secret);
  if (isCopiedBadly) throw fault(setting, 'has white space at an end, or a line end within: copy the secret alone');
  if (/^(\$[({]|`)/.test(secret)) throw fault(setting, 'is a shell expression that nothing has replaced');
  if (Buffer.byteLength(secret) < bytes)
    throw fault(setting, `must have at least ${bytes} bytes for ${algorithm} (RFC 7518 §3.2)`);
  return { algorithm, key: createSecretKey(secret, 'utf8') };
}

/**
 * The key of a private key in PEM, in PKCS#8 or the older form of OpenSSL.
 *
 * @throws SettingsError unless it is one private key that the algorithm can be used with
 */
export function readPrivateKey(text: string, algorithm: KeyPairAlgorithm, setting: string): KeyMaterial {
  const { blocks, rest } = extractBlocks(text);
  const [block, ...more] = blocks.filter(({ label }) => label !== 'EC PARAMETERS');
  if (blocks.some(isEncrypted)) throw fault(setting, 'is encrypted: give it without a passphrase');
  if (block && !PRIVATE_LABELS.includes(block.label))
    throw fault(setting, 'is no private key, which is what tokens are signed with');
  if (!block || more.length > 0 || rest.trim() !== '')
    throw fault(setting, 'must be one private key in PEM, and nothing else');
  const key = parse(createPrivateKey, block, setting);
  const mismatch = mismatchOf(key, algorithm);
  if (mismatch) throw fault(setting, mismatch);
  if (!isConsistent(key)) throw fault(setting, 'is damaged: what it signs does not verify');
  return { algorithm, key };
}

/**
 * The keys that verify beside the one that signs: public keys in PEM, and lines of `secret:` and an older secret. Each
 * is bound to one algorithm: an EC key to that of its curve, an RSA key and a secret to the configured algorithm if
 * that is one of their kind, else to RS256 and HS256.
 *
 * @throws SettingsError when there is anything else, a private key above all
 */
export function readVerifyingKeys(text: string, configured: Algorithm, setting: string): KeyMaterial[] {
  const { blocks, rest } = extractBlocks(text);
  const lines = rest.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (blocks.length + lines.length === 0) throw fault(setting, 'holds no key');
  const publicKeys = blocks.map((block) => {
    if (isEncrypted(block) || PRIVATE_LABELS.includes(block.label))
      throw fault(setting, 'holds a private key: give the public one');
    if (!PUBLIC_LABELS.includes(block.label)) throw fault(setting, UNKNOWN_CONTENT);
    return bindPublicKey(parse(createPublicKey, block, setting), configured, setting);
  });
  const secrets = lines.map((line) => {
    if (!line.startsWith(SECRET_PREFIX)) throw fault(setting, UNKNOWN_CONTENT);
    return readSecret(line.slice(SECRET_PREFIX.length), isHmac(configured) ? configured : 'HS256', setting);
  });
  return [...publicKeys, ...secrets];
}

const UNKNOWN_CONTENT = 'may hold public keys in PEM and lines of secret: with an older secret, and nothing else';

interface PemBlock {
  readonly label: string;
  readonly pem: string;
}

/** The blocks of PEM in a text, and what stands beside them. */
function extractBlocks(text: string): { blocks: PemBlock[]; rest: string } {
  const blocks: PemBlock[] = [];
  const rest = text.replace(PEM_BLOCK, (pem: string, label: string) => {
    blocks.push({ label, pem: pem.replaceAll('\\r', '').replaceAll('\\n', '\n').trim() });
    return '\n';
  });
  return { blocks, rest };
}

function isEncrypted({ label, pem }: PemBlock): boolean {
  return label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4,ENCRYPTED/m.test(pem);
}

function parse(read: (pem: string) => KeyObject, { pem }: PemBlock, setting: string): KeyObject {
  try {
    return read(pem);
  } catch {
    // What OpenSSL says may quote the key.
    throw fault(setting, 'holds a key that cannot be read: copy it with its line ends, or write each as \\n');
  }
}

/** Why a key cannot be used with an algorithm; undefined when it can. */
function mismatchOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, algorithm: KeyPairAlgorithm) {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  const curve = CURVES[algorithm];
  if (curve) return namedCurve === curve ? undefined : `must be a key on ${curve} for ${algorithm} (RFC 7518 §3.4)`;
  return asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS
    ? undefined
    : `must be an RSA key of at least ${MIN_RSA_BITS} bits for ${algorithm} (RFC 7518 §3.3)`;
}

/** Whether the private half belongs to the public one, which neither PEM nor OpenSSL look at. */
function isConsistent(key: KeyObject): boolean {
  try {
    const probe = Buffer.from('jwt-allauth');
    return verify('sha256', probe, createPublicKey(key as never), sign('sha256', probe, key));
  } catch {
    return false;
  }
}

function bindPublicKey(key: KeyObject, configured: Algorithm, setting: string): KeyMaterial {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const names = Object.keys(CURVES) as KeyPairAlgorithm[];
  const ofCurve = curve && names.find((name) => CURVES[name] === curve);
  const ofRsa = isHmac(configured) || CURVES[configured] ? 'RS256' : configured;
  const algorithm = ofCurve || ofRsa;
  if (mismatchOf(key, algorithm)) {
    const curves = Object.values(CURVES).filter(Boolean).join(', ');
    const kinds = `RSA keys of at least ${MIN_RSA_BITS} bits and keys on ${curves}`;
    throw fault(setting, `holds a key of another kind than ${kinds}`);
  }
  return { algorithm, key };
}

function fault(setting: string, message: string): SettingsError {
  return new SettingsError([{ setting, message }]);
}
