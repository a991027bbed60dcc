import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.TimeZone;
import org.elasticsearch.xpack.core.scheduler.Cron;
import org.quartz.CronExpression;

/**
 * Writes the next slot for each line of a program ("elasticsearch" or "quartz"), an expression and a time, separated by tabs
 * (the expression may contain some). Times are seconds since 1970. Instead of a slot: "never", "refused" for the
 * expression, "fails" for the search.
 */
class Oracle {
    interface Search {
        /** In milliseconds, as the argument; negative for never. */
        long next(long after);
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            int first = line.indexOf('\t');
            int last = line.lastIndexOf('\t');
            long after = Long.parseLong(line.substring(last + 1)) * 1000;
            System.out.println(next(line.substring(0, first), line.substring(first + 1, last), after));
        }
    }

    static String next(String program, String expression, long after) {
        Search search;
        try {
            search = program.equals("quartz") ? quartz(expression) : new Cron(expression)::getNextValidTimeAfter;
        } catch (Exception error) {
            return "refused";
        }
        try {
            long next = search.next(after);
            return next < 0 ? "never" : Long.toString(next / 1000);
        } catch (RuntimeException error) {
            return "fails";
        }
    }

    static Search quartz(String expression) throws Exception {
        CronExpression cron = new CronExpression(expression);
        cron.setTimeZone(TimeZone.getTimeZone("UTC"));
        return after -> {
            Date next = cron.getNextValidTimeAfter(new Date(after));
            return next == null ? -1 : next.getTime();
        };
    }
}
