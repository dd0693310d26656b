import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { posixStorage } from '../../src/host/posix/storage.ts';
import { steleError } from './contract.ts';

/** Root that a child under the permission model must be able to read: the sources. */
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const sourceUrl = (path: string): string => new URL(`../../src/${path}${EXTENSION}`, import.meta.url).href;

const fresh = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'stele-child-')));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `script` (a module's text, `directory` bound) in a child. */
function child(
  directory: string,
  script: string,
  flags: readonly string[] = [],
): { process: ChildProcess; line(): Promise<string>; ended: Promise<Ended> } {
  const path = join(directory, `.child-${Math.random().toString(36).slice(2)}.mjs`);
  const head = `
    import { posixStorage } from ${JSON.stringify(sourceUrl('host/posix/storage'))};
    import { posixHost } from ${JSON.stringify(sourceUrl('host/posix/host'))};
    const directory = ${JSON.stringify(directory)};\n`;
  writeFileSync(path, head + script);
  const started = spawn(process.execPath, [...flags, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let out = '';
  let err = '';
  let wake = (): void => {};
  started.stdout.on('data', (data: Buffer) => {
    out += data.toString();
    wake();
  });
  started.stderr.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    started.on('close', (code) => {
      resolve({ code, out, err });
      wake();
    });
  });
  const line = async (): Promise<string> => {
    while (!out.includes('\n') && started.exitCode === null) await new Promise<void>((resolve) => (wake = resolve));
    assert.ok(out.includes('\n'), err);
    return out.slice(0, out.indexOf('\n'));
  };
  return { process: started, line, ended };
}

const HOLD = (style: string): string => `
  posixStorage(directory, { lock: '${style}' }).lock();
  console.log('held');
  setInterval(() => {}, 1000);`;

for (const style of ['sqlite', 'file'] as const) {
  describe(`exclusion by ${style}`, () => {
    test('a second process is refused at once and told who holds it; kill -9 frees it', async () => {
      const directory = fresh();
      const holder = child(directory, HOLD(style));
      assert.equal(await holder.line(), 'held');
      const storage = posixStorage(directory, { lock: style });
      assert.throws(
        () => storage.lock(),
        (error: unknown) => steleError('unavailable', 'LOCKED')(error) && String(error).includes(String(holder.process.pid)),
      );
      holder.process.kill('SIGSTOP');
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'), 'a stopped holder keeps it');
      holder.process.kill('SIGKILL');
      await holder.ended;
      storage.lock();
      storage.close();
      rmSync(directory, { recursive: true });
    });

    test('two reading processes share, a writer is refused while either lives, a reader while a writer does', async () => {
      const directory = fresh();
      const share = `
        posixStorage(directory, { lock: '${style}' }).lock({ shared: true });
        console.log('held');
        setInterval(() => {}, 1000);`;
      const one = child(directory, share);
      const two = child(directory, share);
      assert.deepEqual([await one.line(), await two.line()], ['held', 'held']);
      const storage = posixStorage(directory, { lock: style });
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'));
      storage.lock({ shared: true }).release();
      one.process.kill('SIGKILL');
      await one.ended;
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'), 'the second reader still lives');
      two.process.kill('SIGKILL');
      await two.ended;
      storage.lock();
      const script = `
        try { posixStorage(directory, { lock: '${style}' }).lock({ shared: true }); console.log('taken'); }
        catch (error) { console.log(error.code); }`;
      assert.equal((await child(directory, script).ended).out, 'LOCKED\n', 'a reader beside the writer');
      storage.close();
      assert.equal((await child(directory, script).ended).out, 'taken\n');
      rmSync(directory, { recursive: true });
    });

    test('a process is refused while this one holds it, also after this one used its files', async () => {
      const directory = fresh();
      const storage = posixStorage(directory, { lock: style });
      const lock = storage.lock();
      storage.list();
      storage.exists('lock.db');
      assert.throws(() => storage.open('lock.db', { readOnly: true }), steleError('invalid', 'FILE_NAME'));
      assert.throws(() => posixStorage(directory, { lock: style }).lock(), steleError('unavailable', 'LOCKED'));
      const script = `
        try { posixStorage(directory, { lock: '${style}' }).lock(); console.log('taken'); }
        catch (error) { console.log(error.code, error.message.includes('${process.pid}')); }`;
      const refused = await child(directory, script).ended;
      assert.deepEqual([refused.out, refused.err], ['LOCKED true\n', '']);
      lock.release();
      const taken = await child(directory, script).ended;
      assert.deepEqual([taken.out, taken.err], ['taken\n', '']);
      rmSync(directory, { recursive: true });
    });
  });
}

describe('exclusion by file, take-over', () => {
  test('of many processes that find a dead holder exactly one takes over', async () => {
    const directory = fresh();
    const dead = child(directory, HOLD('file'));
    await dead.line();
    dead.process.kill('SIGKILL');
    await dead.ended;
    const script = `
      try { posixStorage(directory, { lock: 'file' }).lock(); console.log('taken'); setTimeout(() => {}, 1500); }
      catch (error) { console.log(error.code); }`;
    const contenders = Array.from({ length: 6 }, () => child(directory, script));
    const lines = await Promise.all(contenders.map((each) => each.line()));
    for (const each of contenders) each.process.kill('SIGKILL');
    await Promise.all(contenders.map((each) => each.ended));
    assert.deepEqual(lines.sort(), ['LOCKED', 'LOCKED', 'LOCKED', 'LOCKED', 'LOCKED', 'taken']);
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith('lock.')),
      ['lock.pid'],
    );
    rmSync(directory, { recursive: true });
  });

  test('a holder that is not provably gone keeps its lock: another host, or an unreadable file', () => {
    const directory = fresh();
    const path = join(directory, 'lock.pid');
    const owner = { host: 'elsewhere', boot: 'b', namespace: 'n', pid: 1, startTime: '1', token: '0'.repeat(24) };
    const isLocked = steleError('unavailable', 'LOCKED');
    const storage = posixStorage(directory, { lock: 'file' });
    for (const text of [JSON.stringify(owner), JSON.stringify({ ...owner, host: hostname(), boot: '' }), 'nonsense', '']) {
      writeFileSync(path, text);
      assert.throws(() => storage.lock(), isLocked, text);
    }
    writeFileSync(path, JSON.stringify({ ...owner, host: hostname(), boot: 'another boot' }));
    storage.lock().release();
    assert.equal(existsSync(path), false);
    rmSync(directory, { recursive: true });
  });
});

test('the lock file stays empty, has no journal, and nothing is printed', async () => {
  const directory = fresh();
  const script = `posixStorage(directory).lock(); console.log('held');`;
  const { out, err } = await child(directory, script, ['--trace-warnings']).ended;
  assert.deepEqual([out, err], ['held\n', '']);
  assert.equal(statSync(join(directory, 'lock.db')).size, 0);
  assert.equal(existsSync(join(directory, 'lock.db-journal')), false);
  assert.match(readFileSync(join(directory, 'lock.owner'), 'utf8'), /^process \d+/);
  rmSync(directory, { recursive: true });
});

describe("Node's permission model", () => {
  const script = `
    const host = posixHost(directory + '/db');
    const { storage } = host;
    storage.lock();
    const file = storage.open('f', { create: true });
    file.write(new TextEncoder().encode('permitted'), 0, 9, 0);
    file.sync();
    file.truncate(5000);
    storage.syncDirectory();
    await file.syncAsync();
    for (let i = 0; i < 200 && storage.syncThread === 'starting'; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    for (let turn = 0; turn < 20; turn++) {
      file.write(new Uint8Array(3000).fill(turn), 0, 3000, 100 + turn * 1000);
      await file.syncAsync();
    }
    storage.remove('f');
    storage.syncDirectory();
    console.log(storage.syncStyle, storage.syncThread, host.threads.kind, storage.list().length);
    file.close();
    await host.threads.close();
    storage.close();`;
  const flags = (directory: string): string[] => [
    '--permission',
    `--allow-fs-read=${PACKAGE}`,
    `--allow-fs-read=${directory}`,
    `--allow-fs-write=${directory}`,
    '--disable-warning=SecurityWarning',
  ];

  test('write-through is chosen and syncs run in the thread', async () => {
    const directory = fresh();
    const ended = await child(directory, script, [...flags(directory), '--allow-worker']).ended;
    assert.deepEqual([ended.err, ended.out, ended.code], ['', 'writeThrough ready worker 0\n', 0]);
    rmSync(directory, { recursive: true });
  });

  test('without permission for workers everything runs on main, and says so', async () => {
    const directory = fresh();
    const ended = await child(directory, script, flags(directory)).ended;
    assert.deepEqual([ended.err, ended.out, ended.code], ['', 'writeThrough lost inline 0\n', 0]);
    rmSync(directory, { recursive: true });
  });

  test('without permission to write, opening is denied', async () => {
    const directory = fresh();
    const denied = `try { posixStorage(directory + '/db').lock() } catch (error) { console.log(error.kind, error.code) }`;
    const ended = await child(directory, denied, ['--permission', `--allow-fs-read=${PACKAGE}`, `--allow-fs-read=${directory}`]).ended;
    assert.deepEqual([ended.err, ended.out], ['', 'denied PERMISSION\n']);
    rmSync(directory, { recursive: true });
  });

  test('a process that may only read shares the directory with other readers', async () => {
    const directory = fresh();
    posixStorage(directory).lock().release();
    const share = `
      const lock = posixStorage(directory).lock({ shared: true });
      console.log('shared');
      lock.release();`;
    const flags = ['--permission', `--allow-fs-read=${PACKAGE}`, `--allow-fs-read=${directory}`];
    const reader = posixStorage(directory);
    reader.lock({ shared: true });
    const ended = await child(directory, share, flags).ended;
    assert.deepEqual([ended.err, ended.out], ['', 'shared\n']);
    reader.close();
    const writer = posixStorage(directory);
    writer.lock();
    const refused = await child(
      directory,
      `try { posixStorage(directory).lock({ shared: true }); } catch (error) { console.log(error.code); }`,
      flags,
    ).ended;
    assert.equal(refused.out, 'LOCKED\n');
    writer.close();
    rmSync(directory, { recursive: true });
  });
});

describe('the sync thread and the process', () => {
  test('it does not keep an idle process alive', async () => {
    const directory = fresh();
    const script = `
      const storage = posixStorage(directory);
      const file = storage.open('f', { create: true });
      await file.syncAsync();
      while (storage.syncThread === 'starting') await new Promise((resolve) => setTimeout(resolve, 5));
      await file.syncAsync();
      console.log(storage.syncThread);`;
    const ended = await child(directory, script).ended;
    assert.deepEqual([ended.err, ended.out, ended.code], ['', 'ready\n', 0]);
    rmSync(directory, { recursive: true });
  });

  test('it keeps the process alive while a sync is pending', async () => {
    const directory = fresh();
    const script = `
      const storage = posixStorage(directory);
      const file = storage.open('f', { create: true });
      file.syncAsync();
      while (storage.syncThread === 'starting') await new Promise((resolve) => setTimeout(resolve, 5));
      file.write(new Uint8Array(1 << 24), 0, 1 << 24, 0);
      void file.syncAsync().then(() => console.log('synced'));`;
    const ended = await child(directory, script).ended;
    assert.deepEqual([ended.err, ended.out, ended.code], ['', 'synced\n', 0]);
    rmSync(directory, { recursive: true });
  });

  test('a thread that cannot start leaves syncing to main', async () => {
    const directory = fresh();
    const script = `
      const storage = posixStorage(directory, { syncThread: 'main' });
      const file = storage.open('f', { create: true });
      await file.syncAsync();
      console.log(storage.syncThread);`;
    assert.equal((await child(directory, script).ended).out, 'lost\n');
    rmSync(directory, { recursive: true });
  });
});
