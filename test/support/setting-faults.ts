import { type SettingFault, SettingsError } from '../../src/index.js';

/** The names of the settings that are refused. Empty: all are accepted. */
export function refusedSettings(make: () => unknown): readonly string[] {
  return findFaults(make).map(({ setting }) => setting);
}

/** The faults for which settings are refused; fails when they are accepted. */
export function faultsOf(make: () => unknown): readonly SettingFault[] {
  const faults = findFaults(make);
  if (faults.length === 0) throw new Error('the settings were accepted');
  return faults;
}

/** The one fault for which settings are refused. Fails if there is not exactly one. */
export function faultOf(make: () => unknown): SettingFault {
  const [fault, ...more] = faultsOf(make);
  if (!fault || more.length > 0) throw new Error(`expected one fault, got ${JSON.stringify([fault, ...more])}`);
  return fault;
}

function findFaults(make: () => unknown): readonly SettingFault[] {
  try {
    make();
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}
