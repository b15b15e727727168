import type { AddressInfo } from 'node:net';
import { Type } from 'class-transformer';
import { IsInt, ValidateNested } from 'class-validator';
import {
  Body,
  createExpressServer,
  getMetadataArgsStorage,
  JsonController,
  Post,
  useContainer,
} from 'routing-controllers';
import { routingControllersToSpec } from 'routing-controllers-openapi';
import { Container, Service } from 'typedi';

class Inner {
  @IsInt()
  count!: number;
}

class Outer {
  @ValidateNested()
  @Type(() => Inner)
  inner!: Inner;
}

@Service()
class Doubler {
  double(count: number) {
    return count * 2;
  }
}

@Service()
@JsonController()
class DoubleController {
  constructor(private readonly doubler: Doubler) {}

  @Post('/double')
  double(@Body() { inner }: Outer) {
    return { doubled: this.doubler.double(inner.count) };
  }
}

/** The answer of an app with injection and validation, and the document's description of its body. */
export async function examine() {
  useContainer(Container);
  const server = createExpressServer({ controllers: [DoubleController] }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const send = async (count: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${port}/double`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inner: { count } }),
    });
    return { status: answer.status, doubled: ((await answer.json()) as { doubled?: number }).doubled };
  };
  const answers = [await send(2), await send('two')];
  const { paths } = routingControllersToSpec(getMetadataArgsStorage());
  const schema = paths?.['/double'].post.requestBody.content['application/json'].schema;
  return { answers, schema };
}
