import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject, sign, verify } from 'node:crypto';
import { type Algorithm, CURVES, isHmac, type KeyPairAlgorithm, MIN_RSA_BITS, SECRET_BYTES } from './algorithm.js';
import { SettingsError } from './settings-error.js';

/** A key and the only algorithm that it may be used with. */
export interface KeyMaterial {
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** Prefix of a line of VERIFYING_KEYS that contains an older secret. */
const SECRET_PREFIX = 'secret:';

/** A PEM block (RFC 7468). Line ends are real ones or written as `\n`. */
const PEM_BLOCK = /(?:\\[rn])*-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----(?:\\[rn])*/g;

const PRIVATE_LABELS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];
const PUBLIC_LABELS = ['PUBLIC KEY', 'RSA PUBLIC KEY'];

/**
 * Makes a key from a shared secret.
 *
 * @param setting name of the setting, for the error message, which never shows its value
 * @throws SettingsError if the secret is too short or was not copied correctly
 */
export function readSecret(secret: string, algorithm: Algorithm, setting: string): KeyMaterial {
  const bytes = isHmac(algorithm) ? SECRET_BYTES[algorithm] : 0;
  const isCopiedBadly = /^\s|\s$|[\r\n]|\\n/.test(secret);
  if (isCopiedBadly) throw fault(setting, 'starts or ends with white space or contains a line end');
  if (/^(\$[({]|`)/.test(secret)) throw fault(setting, 'is a shell expression that was not expanded');
  if (Buffer.byteLength(secret) < bytes)
    throw fault(setting, `must have at least ${bytes} bytes for ${algorithm} (RFC 7518 §3.2)`);
  return { algorithm, key: createSecretKey(secret, 'utf8') };
}

/**
 * Reads a private key in PEM: PKCS#8, or the older OpenSSL form.
 *
 * @throws SettingsError unless the text is exactly one private key that fits the algorithm
 */
export function readPrivateKey(text: string, algorithm: KeyPairAlgorithm, setting: string): KeyMaterial {
  const { blocks, rest } = extractBlocks(text);
  const [block, ...more] = blocks.filter(({ label }) => label !== 'EC PARAMETERS');
  if (blocks.some(isEncrypted)) throw fault(setting, 'is encrypted: use a key without a passphrase');
  if (block && !PRIVATE_LABELS.includes(block.label))
    throw fault(setting, 'is not a private key; signing tokens needs one');
  if (!block || more.length > 0 || rest.trim() !== '')
    throw fault(setting, 'must be one private key in PEM, and nothing else');
  const key = parse(createPrivateKey, block, setting);
  const mismatch = mismatchOf(key, algorithm);
  if (mismatch) throw fault(setting, mismatch);
  if (!isConsistent(key)) throw fault(setting, 'is damaged: its signatures do not verify');
  return { algorithm, key };
}

/**
 * Reads the additional verification keys: public keys in PEM, and lines that consist of `secret:` and an older secret.
 * Each key is bound to one algorithm. An EC key gets the algorithm of its curve. An RSA key gets the configured
 * algorithm if that is an RSA algorithm, else RS256. A secret gets the configured algorithm if that is an HMAC
 * algorithm, else HS256.
 *
 * @throws SettingsError for any other content, such as a private key
 */
export function readVerifyingKeys(text: string, configured: Algorithm, setting: string): KeyMaterial[] {
  const { blocks, rest } = extractBlocks(text);
  const lines = rest.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (blocks.length + lines.length === 0) throw fault(setting, 'contains no key');
  const publicKeys = blocks.map((block) => {
    if (isEncrypted(block) || PRIVATE_LABELS.includes(block.label))
      throw fault(setting, 'contains a private key: use the public key');
    if (!PUBLIC_LABELS.includes(block.label)) throw fault(setting, UNKNOWN_CONTENT);
    return bindPublicKey(parse(createPublicKey, block, setting), configured, setting);
  });
  const secrets = lines.map((line) => {
    if (!line.startsWith(SECRET_PREFIX)) throw fault(setting, UNKNOWN_CONTENT);
    return readSecret(line.slice(SECRET_PREFIX.length), isHmac(configured) ? configured : 'HS256', setting);
  });
  return [...publicKeys, ...secrets];
}

const UNKNOWN_CONTENT = 'may contain only public keys in PEM, and lines that consist of secret: and an older secret';

interface PemBlock {
  readonly label: string;
  readonly pem: string;
}

/** Splits a text into its PEM blocks and the rest. */
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
    // The message of OpenSSL may quote the key.
    throw fault(setting, 'contains a key that cannot be read: copy it with its line ends, or write each as \\n');
  }
}

/** Why a key does not fit an algorithm. Undefined if it fits. */
function mismatchOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, algorithm: KeyPairAlgorithm) {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails ?? {};
  const curve = CURVES[algorithm];
  if (curve) return namedCurve === curve ? undefined : `must be a key on ${curve} for ${algorithm} (RFC 7518 §3.4)`;
  return asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS
    ? undefined
    : `must be an RSA key of at least ${MIN_RSA_BITS} bits for ${algorithm} (RFC 7518 §3.3)`;
}

/** Whether the private key belongs to the public key in the same PEM, which OpenSSL does not check. */
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
    throw fault(setting, `contains an unsupported key; supported are ${kinds}`);
  }
  return { algorithm, key };
}

function fault(setting: string, message: string): SettingsError {
  return new SettingsError([{ setting, message }]);
}
