/** The Storage place: what it shows, two tabs of one engine, the check, export and import. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, startServer } from "../harness.mjs";
import { expectNoComplaints, served, until, untilAcknowledged } from "../live-page.mjs";
import { find, press, textAt, type } from "../streams-page.mjs";

const PLACE = "millrace-app >>> mill-storage";

/** Selector of a part of the place. */
export const inStorage = (part) => `${PLACE} >>> ${part}`;

const value = (page, panel, label) =>
  textAt(page, inStorage(`${panel} >>> mill-reading[label="${label}"] >>> .value`));

const role = (page) => textAt(page, inStorage("mill-members-panel >>> #role"));

async function showsWhereTheBytesAre(browser) {
  await served(browser, "?rate=500", async (page) => {
    await untilAcknowledged(page, 200);
    await press(page, "millrace-app >>> nav a[href*='place=storage']");
    await find(page, inStorage("mill-log-panel"));
    assert((await page.title()) === "Storage · Millrace", await page.title());
    assert((await role(page)).startsWith("Leader, epoch"), `the role is ${await role(page)}`);
    assert(Number(await value(page, "mill-log-panel", "Commits")) > 0, "there are no commits");
    const row = await textAt(
      page,
      inStorage("mill-storage-streams >>> tr[data-stream=access-log]"),
    );
    assert(row.includes("strict"), `the stream is shown as ${row}`);
    await press(page, inStorage("#show-code"));
    const code = await until("the code is shown", () =>
      textAt(page, inStorage("mill-storage-code >>> mill-code-block >>> code")),
    );
    assert(code.includes("millrace.member()"), `the code is ${code}`);
    await page.keyboard.press("Escape");
    await page.reload();
    await find(page, inStorage("mill-log-panel"));
  });
}

async function storeIsChecked(browser) {
  await served(browser, "?rate=500", async (page) => {
    await untilAcknowledged(page, 300);
    await press(page, "millrace-app >>> nav a[href*='place=storage']");
    await press(page, inStorage("mill-check-panel >>> #check"));
    await until("the check says that all is whole", async () =>
      (await textAt(page, inStorage("mill-check-panel >>> [role=status]"))).includes(
        "Everything is whole",
      ),
    );
    const records = Number((await value(page, "mill-check-panel", "Records")).replaceAll(",", ""));
    assert(records >= 300, `the check found ${records} records`);
  });
}

async function leadGoesOver(browser) {
  const server = await startServer();
  try {
    const { page: first, complaints } = await browser.open(`${server.address}?rate=200`);
    await untilAcknowledged(first, 50);
    const storage = `${server.address}?place=storage`;
    const { page: second, complaints: more } = await browser.open(storage);
    await until("the second tab follows", async () =>
      (await role(second)).startsWith("Follower, epoch"),
    );
    const strip = inStorage("mill-edge-strip >>> ul");
    await until("the strip says so", async () =>
      (await textAt(second, strip)).includes("Follower"),
    );
    await expectNoComplaints(first, complaints);
    await first.close();
    await until("the second tab leads", async () =>
      (await role(second)).startsWith("Leader, epoch"),
    );
    await until("it tells of it", async () =>
      (await textAt(second, inStorage("mill-events-panel >>> ol"))).includes("This tab leads"),
    );
    await press(second, "millrace-app >>> nav a:nth-of-type(2)");
    await untilAcknowledged(second, 50);
    await expectNoComplaints(second, more);
  } finally {
    await server.stop();
  }
}

async function logIsMoved(browser) {
  const folder = mkdtempSync(join(tmpdir(), "millrace-download-"));
  try {
    await served(browser, "?rate=500", async (page) => {
      await untilAcknowledged(page, 300);
      await press(page, "millrace-app >>> nav a[href*='place=storage']");
      const session = await page.createCDPSession();
      await session.send("Page.setDownloadBehavior", {
        behavior: "allow",
        downloadPath: folder,
      });
      await press(page, inStorage("mill-move-panel >>> #export"));
      const file = await until("the file is there", () => {
        const found = readdirSync(folder).find((name) => name.endsWith(".millrace"));
        return found === undefined ? undefined : join(folder, found);
      });
      assert(statSync(file).size > 1000, "the file is empty");
      const input = await find(page, inStorage("mill-move-panel >>> input[type=file]"));
      await input.uploadFile(file);
      await type(page, inStorage("mill-move-panel >>> input[name=name]"), "copy");
      await press(page, inStorage("mill-move-panel >>> button[type=submit]"));
      await until("the import is told", async () =>
        (await textAt(page, inStorage("mill-move-panel >>> form [role=status]"))).startsWith(
          "Imported",
        ),
      );
      await press(page, inStorage("mill-move-panel >>> button[type=submit]"));
      const notice = await until("a name that is taken is refused", () =>
        textAt(page, inStorage("mill-move-panel >>> mill-notice >>> section")),
      );
      assert(/Code \w+/.test(notice), `the notice says ${notice}`);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Scenarios of the Storage place. */
export const storageScenarios = [
  { name: "the storage place shows where the bytes are", run: showsWhereTheBytesAre },
  { name: "the store is checked", run: storeIsChecked },
  { name: "a second tab follows, and leads when the first is closed", run: leadGoesOver },
  { name: "the log is exported and imported", run: logIsMoved },
];
