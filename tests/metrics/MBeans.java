import java.util.TreeSet;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Prints every attribute of every kafka.* MBean of the broker whose JMX port is given: name, attribute and value, tabs between. */
public class MBeans {
  public static void main(String[] arguments) throws Exception {
    JMXServiceURL url = new JMXServiceURL("service:jmx:rmi:///jndi/rmi://127.0.0.1:" + arguments[0] + "/jmxrmi");
    try (JMXConnector connector = JMXConnectorFactory.connect(url)) {
      MBeanServerConnection server = connector.getMBeanServerConnection();
      for (ObjectName name : new TreeSet<>(server.queryNames(new ObjectName("kafka.*:*"), null))) {
        for (MBeanAttributeInfo attribute : server.getMBeanInfo(name).getAttributes()) {
          Object value;
          try {
            value = server.getAttribute(name, attribute.getName());
          } catch (Exception failure) {
            continue;  // Of a part that is not there, or that went away meanwhile.
          }
          System.out.println(name + "\t" + attribute.getName() + "\t" + value);
        }
      }
    }
  }
}
