import { Authorized, Get, JsonController } from 'routing-controllers';
import { expect, test } from 'vitest';
import { EmailVerified } from '../../src/index.js';
import { createTestApp } from '../support/test-app.js';

@JsonController('/first')
class First {
  @Authorized(EmailVerified)
  @Get('/gated')
  gated() {}

  @Authorized([700, EmailVerified])
  @Get('/both')
  both() {}

  @Authorized(700)
  @Get('/role')
  role() {}
}

@Authorized(EmailVerified)
@JsonController('/second')
class Second {
  @Get('/')
  show() {}
}

@Authorized()
@JsonController('/third')
class Third {
  @Get('/')
  show() {}
}

test('EmailVerified logs one warning under EMAIL_VERIFICATION none, which names the controllers and actions that use it', async () => {
  const app = await createTestApp({ controllers: [First, Second, Third] });
  expect(app.log.map(({ level, controllers }) => [level, [...(controllers as string[])].sort()])).toEqual([
    ['warn', ['First.both', 'First.gated', 'Second']],
  ]);
  expect(app.log[0]?.message).toMatch(/^EmailVerified proves nothing while emailVerification is none/);
  await app.close();
});

test.each([
  ['in another mode', [First, Second], 'optional' as const],
  ['where no controller asks for it', [Third], 'none' as const],
])('no warning is logged %s', async (_what, controllers, emailVerification) => {
  const publicUrl = emailVerification === 'none' ? {} : { publicUrl: 'http://app.test' };
  const app = await createTestApp({ controllers, settings: { emailVerification, ...publicUrl } });
  expect(app.log).toEqual([]);
  await app.close();
});
