// Apache Kafka's DumpLogSegments, called again and again in one process: a line of arguments (separated by U+001F) on standard input; the
// exit code and what it wrote to standard output and error, each with its length, on standard output.
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;

import org.apache.kafka.common.utils.Exit;

public class Dumps {
    static class Ended extends RuntimeException {
        final int code;

        Ended(int code) {
            this.code = code;
        }
    }

    static int dump(String[] arguments) throws Exception {
        try {
            Class.forName("org.apache.kafka.tools.DumpLogSegments").getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Ended ended) return ended.code;
            e.getCause().printStackTrace();
            return 1;
        }
    }

    public static void main(String[] none) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var answer = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)));
        Exit.setExitProcedure((code, message) -> {
            throw new Ended(code);
        });
        for (String line; (line = in.readLine()) != null;) {
            var out = new ByteArrayOutputStream();
            var err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, false, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, false, StandardCharsets.UTF_8));
            answer.writeInt(dump(line.split("\u001f")));
            for (var stream : new PrintStream[] {System.out, System.err}) stream.flush();
            for (var bytes : new ByteArrayOutputStream[] {out, err}) {
                answer.writeInt(bytes.size());
                bytes.writeTo(answer);
            }
            answer.flush();
        }
    }
}
