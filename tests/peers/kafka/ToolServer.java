import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command line tools one after the other in one warm virtual machine, for a start of its own costs a second and more.
 *
 * Asked on standard input: class name, number of arguments, arguments, what the tool reads (each a length and bytes). Answers on
 * standard output: exit code, what it wrote on standard output, what on standard error. Lengths and codes are big-endian int32.
 */
public class ToolServer {
    /** Ends the tool where it wanted to end the virtual machine. */
    private static final class Ended extends Error {
        Ended() {
            super("ended", null, false, false);
        }
    }

    /** What a tool writes. After its end nothing is added: handlers on the way up may still speak. */
    private static final class Kept extends OutputStream {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private boolean open = true;

        @Override
        public synchronized void write(int one) {
            if (open) bytes.write(one);
        }

        @Override
        public synchronized void write(byte[] from, int offset, int length) {
            if (open) bytes.write(from, offset, length);
        }

        synchronized void close(boolean forGood) {
            open = !forGood;
        }

        synchronized byte[] take() {
            return bytes.toByteArray();
        }
    }

    private static int code;
    private static boolean ended;

    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(new FileInputStream(FileDescriptor.in));
        DataOutputStream out = new DataOutputStream(new FileOutputStream(FileDescriptor.out));
        while (true) {
            String name;
            try {
                name = text(in);
            } catch (java.io.EOFException end) {
                System.exit(0);
                return;
            }
            String[] words = new String[in.readInt()];
            for (int i = 0; i < words.length; i++) words[i] = text(in);
            byte[] given = bytes(in);
            Kept written = new Kept();
            Kept complaints = new Kept();
            run(name, words, given, written, complaints);
            out.writeInt(code);
            for (Kept one : List.of(written, complaints)) {
                byte[] taken = one.take();
                out.writeInt(taken.length);
                out.write(taken);
            }
            out.flush();
        }
    }

    private static void run(String name, String[] words, byte[] given, Kept written, Kept complaints) throws Exception {
        List<Runnable> hooks = new ArrayList<>();
        code = 0;
        ended = false;
        PrintStream writtenTo = new PrintStream(written, true, StandardCharsets.UTF_8);
        PrintStream complainedTo = new PrintStream(complaints, true, StandardCharsets.UTF_8);
        Exit.Procedure end = (status, message) -> {
            if (!ended) {
                ended = true;
                code = status;
                runAll(hooks);
                writtenTo.flush();
                complainedTo.flush();
                written.close(true);
                complaints.close(true);
            }
            throw new Ended();
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        Exit.setShutdownHookAdder((hookName, hook) -> hooks.add(hook));
        System.setIn(new ByteArrayInputStream(given));
        System.setOut(writtenTo);
        System.setErr(complainedTo);
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) words);
        } catch (InvocationTargetException thrown) {
            if (!ended) {
                code = 1;
                complainedTo.print("Exception in thread \"main\" ");
                thrown.getCause().printStackTrace(complainedTo);
            }
        }
        if (!ended) runAll(hooks);
        writtenTo.flush();
        complainedTo.flush();
    }

    private static void runAll(List<Runnable> hooks) {
        for (Runnable hook : hooks) hook.run();
        hooks.clear();
    }

    private static byte[] bytes(DataInputStream in) throws Exception {
        byte[] read = new byte[in.readInt()];
        in.readFully(read);
        return read;
    }

    private static String text(DataInputStream in) throws Exception {
        return new String(bytes(in), StandardCharsets.UTF_8);
    }
}
