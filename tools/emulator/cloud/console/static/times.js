// Adds the local time to each <time>, whose text is UTC.
const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "short", timeStyle: "medium" });

export function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.title = `${format.format(moment)} (${format.resolvedOptions().timeZone})`;
  }
}
