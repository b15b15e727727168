import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** A frame without a mask, as a server sends it. */
const frame = (opcode: number, content: Buffer) => Buffer.concat([Buffer.of(0x80 | opcode, content.length), content]);

/** Does what the manual uses of `WebSocket` of the package ws, with messages of at most 125 bytes. */
export class StandInWebSocket extends EventEmitter {
  constructor(readonly duplex: Duplex) {
    super();
    duplex.on('close', () => this.emit('close'));
    duplex.on('data', (data: Buffer) => {
      const [first = 0, second = 0] = data;
      const mask = data.subarray(2, 6);
      const content = data.subarray(6, 6 + (second & 0x7f)).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      if ((first & 0xf) === 1) this.emit('message', Buffer.from(content));
      else if ((first & 0xf) === 8) duplex.end();
    });
  }

  send(text: string): void {
    this.duplex.write(frame(1, Buffer.from(text)));
  }

  close(code: number): void {
    this.duplex.write(frame(8, Buffer.of(code >> 8, code & 0xff)));
  }

  terminate(): void {
    this.duplex.destroy();
  }
}

/** Does what the manual uses of `WebSocketServer` of the package ws. */
export class StandInWebSocketServer {
  readonly clients = new Set<StandInWebSocket>();

  handleUpgrade(
    { headers }: IncomingMessage,
    duplex: Duplex,
    _head: Buffer,
    done: (socket: StandInWebSocket) => void,
  ): void {
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    const answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    const [protocol] = headers['sec-websocket-protocol']?.split(/, */) ?? [];
    if (protocol) answer.push(`Sec-WebSocket-Protocol: ${protocol}`);
    duplex.write(`${[...answer, `Sec-WebSocket-Accept: ${accept.digest('base64')}`].join('\r\n')}\r\n\r\n`);
    const socket = new StandInWebSocket(duplex);
    this.clients.add(socket);
    socket.once('close', () => this.clients.delete(socket));
    done(socket);
  }
}
